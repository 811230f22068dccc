/* SPDX-License-Identifier: MIT */

/* Code that our evaluator cannot read, given to python3 as packetdrill does: all snippets of a script
 * in one file, each with the values of its moment before it, run once when the script has ended.
 *
 *   tcpi_state = 1
 *   tcpi_rtt = 100000
 *   assert tcpi_rtt / 1000.0 > 99.5
 *
 * Only done where the user allowed it. The interpreter reads the file from its standard input, its
 * output goes nowhere, and its complaints come through a pipe. We wait for the end of the process
 * and for what it writes, with one deadline for both: a snippet that loops is killed. The process is
 * watched by a descriptor (pidfd_open), so that waiting is one poll and there is nothing to look at
 * again and again. Its children, should it have any, are not waited for. */

#include <errno.h>
#include <fcntl.h>
#include <lab/drill/names.h>
#include <lab/drill/python.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const fields[] = {
    "state",
    "ca_state",
    "retransmits",
    "probes",
    "backoff",
    "options",
    "snd_wscale",
    "rcv_wscale",
    "delivery_rate_app_limited",
    "fastopen_client_fail",
    "rto",
    "ato",
    "snd_mss",
    "rcv_mss",
    "unacked",
    "sacked",
    "lost",
    "retrans",
    "fackets",
    "last_data_sent",
    "last_ack_sent",
    "last_data_recv",
    "last_ack_recv",
    "pmtu",
    "rcv_ssthresh",
    "rtt",
    "rttvar",
    "snd_ssthresh",
    "snd_cwnd",
    "advmss",
    "reordering",
    "rcv_rtt",
    "rcv_space",
    "total_retrans",
    "pacing_rate",
    "max_pacing_rate",
    "bytes_acked",
    "bytes_received",
    "segs_out",
    "segs_in",
    "notsent_bytes",
    "min_rtt",
    "data_segs_in",
    "data_segs_out",
    "delivery_rate",
    "busy_time",
    "rwnd_limited",
    "sndbuf_limited",
    "delivered",
    "delivered_ce",
    "bytes_sent",
    "bytes_retrans",
    "dsack_dups",
    "reord_seen",
    "rcv_ooopack",
    "snd_wnd",
    "rcv_wnd",
    "rehash",
};

static const char *const constants[] = {
    "TCP_ESTABLISHED",
    "TCP_SYN_SENT",
    "TCP_SYN_RECV",
    "TCP_FIN_WAIT1",
    "TCP_FIN_WAIT2",
    "TCP_TIME_WAIT",
    "TCP_CLOSE",
    "TCP_CLOSE_WAIT",
    "TCP_LAST_ACK",
    "TCP_LISTEN",
    "TCP_CLOSING",
    "TCP_CA_Open",
    "TCP_CA_Disorder",
    "TCP_CA_CWR",
    "TCP_CA_Recovery",
    "TCP_CA_Loss",
    "TCPI_OPT_TIMESTAMPS",
    "TCPI_OPT_SACK",
    "TCPI_OPT_WSCALE",
    "TCPI_OPT_ECN",
    "TCPI_OPT_ECN_SEEN",
    "TCPI_OPT_SYN_DATA",
    "SK_MEMINFO_RMEM_ALLOC",
    "SK_MEMINFO_RCVBUF",
    "SK_MEMINFO_WMEM_ALLOC",
    "SK_MEMINFO_SNDBUF",
    "SK_MEMINFO_FWD_ALLOC",
    "SK_MEMINFO_WMEM_QUEUED",
    "SK_MEMINFO_OPTMEM",
    "SK_MEMINFO_BACKLOG",
    "SK_MEMINFO_DROPS",
};

static void write_value(FILE *file, const char *name, eval_lookup_fn *lookup, void *context)
{
    int64_t value;

    if (lookup(context, name, &value))
        fprintf(file, "%s = %lld\n", name, (long long)value);
}

/* The indentation that all lines behind the first have in common. */
static size_t common_indent(const char *code)
{
    size_t least = SIZE_MAX;
    const char *line = strchr(code, '\n');

    while (line) {
        size_t indent = strspn(++line, " \t");

        if (line[indent] && line[indent] != '\n' && indent < least)
            least = indent;
        line = strchr(line, '\n');
    }
    return least == SIZE_MAX ? 0 : least;
}

void python_write(FILE *file, unsigned line, const char *code, eval_lookup_fn *lookup,
                  void *context)
{
    size_t indent = common_indent(code), i;
    char name[64];

    for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        snprintf(name, sizeof(name), "tcpi_%s", fields[i]);
        write_value(file, name, lookup, context);
    }
    for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        write_value(file, constants[i], lookup, context);
    fprintf(file, "# line %u of the script\n", line);
    code += strspn(code, " \t");
    while (*code) {
        size_t length = strcspn(code, "\n");

        fprintf(file, "%.*s\n", (int)length, code);
        code += length + (code[length] == '\n');
        code += strspn(code, " \t") >= indent ? indent : strspn(code, " \t");
    }
}

/* ---- Running it --------------------------------------------------------------------------------- */

static int complain(char *said, const char *what)
{
    snprintf(said, PYTHON_SAID, "python3: %s: %s", what, strerror(errno));
    return -1;
}

/* A descriptor that gives the text from its beginning; -1. */
static int file_of(const char *text, size_t length)
{
    int file = memfd_create("snippets", MFD_CLOEXEC);
    size_t done = 0;

    while (file >= 0 && done < length) {
        ssize_t part = write(file, text + done, length - done);

        if (part <= 0) {
            close(file);
            return -1;
        }
        done += (size_t)part;
    }
    if (file >= 0)
        lseek(file, 0, SEEK_SET);
    return file;
}

static int start(int input, int errors, pid_t *child)
{
    char *argv[] = {(char[]){"python3"}, (char[]){"-"}, NULL};
    posix_spawn_file_actions_t actions;
    int error;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, 0);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
    error = posix_spawnp(child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Keeps the last PYTHON_SAID - 1 bytes of what comes; false: nothing more will come. */
static bool listen_to(int errors, char *said, size_t *used)
{
    char part[PYTHON_SAID / 2];
    ssize_t got = read(errors, part, sizeof(part));
    size_t length = got > 0 ? (size_t)got : 0;

    if (*used + length > PYTHON_SAID - 1) {
        size_t drop = *used + length - (PYTHON_SAID - 1);

        memmove(said, said + drop, *used - drop);
        *used -= drop;
    }
    memcpy(said + *used, part, length);
    *used += length;
    said[*used] = '\0';
    return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Waits for the end of the process; false: the time is over. */
static bool await(int process, int errors, int timeout_ms, char *said)
{
    struct pollfd fds[2] = {{.fd = process, .events = POLLIN}, {.fd = errors, .events = POLLIN}};
    int64_t deadline = now_ms() + timeout_ms, left;
    size_t used = 0;

    while ((left = deadline - now_ms()) > 0) {
        if (poll(fds, 2, (int)left) < 0 && errno != EINTR)
            return false;
        if (fds[1].revents && !listen_to(errors, said, &used))
            fds[1].fd = -1;
        else if (fds[0].revents && !fds[1].revents)
            return true;
    }
    return false;
}

/* The exit status of a child that is watched to its end. */
static int finish(pid_t child, int errors, int timeout_ms, char *said)
{
    int process = (int)syscall(SYS_pidfd_open, child, 0), status = 0;
    bool ended;

    if (process < 0) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        return complain(said, "pidfd_open");
    }
    ended = await(process, errors, timeout_ms, said);
    if (!ended)
        kill(child, SIGKILL);
    waitpid(child, &status, 0);
    close(process);
    if (!ended)
        snprintf(said, PYTHON_SAID, "python3 did not end within %d ms", timeout_ms);
    else if (!WIFEXITED(status) && !*said)
        snprintf(said, PYTHON_SAID, "python3 was killed by signal %d", WTERMSIG(status));
    return ended && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int python_run(const char *text, size_t length, int timeout_ms, char *said)
{
    int input = file_of(text, length), errors[2] = {-1, -1}, status;
    pid_t child;

    said[0] = '\0';
    if (input < 0)
        return complain(said, "no file");
    if (pipe2(errors, O_CLOEXEC) < 0) {
        close(input);
        return complain(said, "no pipe");
    }
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    errno = start(input, errors[1], &child);
    status = errno ? complain(said, "not started") : 0;
    close(input);
    close(errors[1]);
    if (status == 0)
        status = finish(child, errors[0], timeout_ms, said);
    close(errors[0]);
    return status;
}
