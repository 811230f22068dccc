/* SPDX-License-Identifier: MIT */

/* What stands in back-quotes: the commands by which scripts prepare a Linux, as settings of ours.
 *
 * Nothing is executed. A command line is read by words.c and each command looked up in a table: what
 * sets something (sysctl, set_sysctls.py, echo into /proc/sys, defaults.sh) goes to linux_sysctl; what
 * makes no difference to one stack on one wire (flushing metrics, queueing disciplines that do not
 * delay, switching offloads) is passed over; sleep lets virtual time pass. Any other command, or a name
 * of a setting that nobody knows or that turns on what weir lacks, makes the script skipped, with its
 * name; unless options->allow_shell is set: then a line that is not understood goes to sh(1) as a
 * whole, in the script's directory, with PACKETDRILL_PID in its environment, and must exit with 0.
 *
 * The init command is applied to the configuration before there is a stack. A line in mid-script
 * changes the settings of the living stack, which sockets without settings of their own follow at
 * once, buffers excepted; what only a new stack could take is skipped by name. The cleanup line
 * restores a system that was never touched: it is read, and has no effect but for a shell.
 *
 * defaults.sh, wherever it lies, stands for the standard settings of the test-suite of Linux: `defaults`
 * below. So a script sees the same whether or not the file is there. */

#include <assert.h>
#include <lab/drill/run.h>
#include <lab/drill/words.h>
#include <math.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/error.h>

/* What a command line comes to, tried out on copies. */
struct effect {
    struct weir_stack_config config;
    struct linux_config linux_config;
    weir_time sleep;
    bool failed;       /* a command would exit with another status than 0 */
    char missing[160]; /* what is not understood; empty: nothing */
};

static const struct {
    const char *name, *value;
} defaults[] = {
    {"net.ipv4.tcp_rmem", "4096 540000 15728640"},
    {"net.ipv4.tcp_wmem", "4096 262144 4194304"},
    {"net.ipv4.tcp_timestamps", "1"},
    {"net.ipv4.tcp_syn_retries", "5"},
    {"net.ipv4.tcp_synack_retries", "5"},
    {"net.ipv4.tcp_frto", "2"},
    {"net.ipv4.tcp_sack", "1"},
    {"net.ipv4.tcp_dsack", "1"},
    {"net.ipv4.tcp_fack", "0"},
    {"net.ipv4.tcp_reordering", "3"},
    {"net.ipv4.tcp_congestion_control", "cubic"},
    {"net.ipv4.tcp_slow_start_after_idle", "0"},
    {"net.ipv4.tcp_early_retrans", "4"},
    {"net.ipv4.tcp_recovery", "1"},
    {"net.ipv4.tcp_tso_win_divisor", "3"},
    {"net.ipv4.tcp_ecn", "0"},
    {"net.ipv4.tcp_pacing_ss_ratio", "200"},
    {"net.ipv4.tcp_pacing_ca_ratio", "120"},
    {"net.ipv4.tcp_notsent_lowat", "4294967295"},
    {"net.ipv4.tcp_fastopen", "3"},
    {"net.ipv4.tcp_syncookies", "1"},
};

static void miss(struct effect *effect, const char *what, const char *name)
{
    if (!*effect->missing)
        snprintf(effect->missing, sizeof(effect->missing), "%s %.100s", what, name);
}

static void set_sysctl(struct effect *effect, const char *name, const char *value)
{
    char text[160];

    switch (linux_sysctl(&effect->config, &effect->linux_config, name, value)) {
    case LINUX_SYSCTL_UNKNOWN:
        miss(effect, "the sysctl", name);
        break;
    case LINUX_SYSCTL_MISSING:
    case LINUX_SYSCTL_WRONG_VALUE:
        snprintf(text, sizeof(text), "%.60s=%.30s", name, value);
        miss(effect, "the sysctl", text);
        break;
    case LINUX_SYSCTL_TAKEN:
    case LINUX_SYSCTL_NO_MATTER:
        break;
    }
}

/* "name=value" in one word; false: it has no "=". */
static bool set_pair(struct effect *effect, const char *word, const char *value)
{
    const char *equals = strchr(word, '=');
    char name[128];
    size_t length = equals ? (size_t)(equals - word) : 0;

    if (!equals)
        return false;
    if (!length || length >= sizeof(name)) {
        miss(effect, "the sysctl", word);
        return true;
    }
    memcpy(name, word, length);
    name[length] = '\0';
    set_sysctl(effect, name, value ? value : equals + 1);
    return true;
}

/* sysctl [-qwne] name=value … | name = value | name= value */
static void do_sysctl(struct effect *effect, const struct words *words)
{
    unsigned i;

    for (i = 1; i < words->count; i++) {
        const char *word = words->word[i];
        const char *next = i + 1 < words->count ? words->word[i + 1] : NULL;

        assert(word);
        if (*word == '-' && word[1] && strspn(word + 1, "qwne") == strlen(word + 1))
            continue;
        if (strchr(word, '=')) {
            bool ends = word[strlen(word) - 1] == '=' && next;

            set_pair(effect, word, ends ? next : NULL);
            i += ends;
        } else if (next && !strcmp(next, "=") && i + 2 < words->count) {
            set_sysctl(effect, word, words->word[i + 2]);
            i += 2;
        } else {
            miss(effect, "the command sysctl", word);
        }
    }
}

/* set_sysctls.py /proc/sys/name=value … */
static void do_set_sysctls(struct effect *effect, const struct words *words)
{
    unsigned i;

    for (i = 1; i < words->count; i++)
        if (!set_pair(effect, words->word[i], NULL))
            miss(effect, "the command set_sysctls.py", words->word[i]);
}

/* echo value > /proc/sys/name; to anywhere else it is not ours, to nowhere no matter. */
static void do_echo(struct effect *effect, const struct words *words)
{
    char value[256] = "";
    size_t used = 0;
    unsigned i;

    if (!words->output)
        return;
    if (strncmp(words->output, "/proc/sys/", 10) != 0) {
        miss(effect, "the command echo >", words->output);
        return;
    }
    for (i = 1; i < words->count && used < sizeof(value); i++)
        if (strcmp(words->word[i], "-n") != 0)
            used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", used ? " " : "",
                                     words->word[i]);
    set_sysctl(effect, words->output, value);
}

static void do_defaults(struct effect *effect, const struct words *words)
{
    size_t i;

    (void)words;
    for (i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
        set_sysctl(effect, defaults[i].name, defaults[i].value);
}

static void do_sleep(struct effect *effect, const struct words *words)
{
    char *end = NULL;
    double seconds = words->count == 2 ? strtod(words->word[1], &end) : -1;

    if (end && *end == 's')
        end++;
    if (!end || *end || !(seconds >= 0) || seconds > SCRIPT_SECONDS_MAX)
        miss(effect, "the command sleep", words->count > 1 ? words->word[1] : "");
    else
        effect->sleep += (weir_time)llround(seconds * (double)WEIR_SECOND);
}

static void do_nothing(struct effect *effect, const struct words *words)
{
    (void)effect;
    (void)words;
}

static void do_false(struct effect *effect, const struct words *words)
{
    (void)words;
    effect->failed = true;
}

static bool has_word(const struct words *words, const char *word)
{
    unsigned i;

    for (i = 1; i < words->count; i++)
        if (!strcmp(words->word[i], word))
            return true;
    return false;
}

static void do_ip(struct effect *effect, const struct words *words)
{
    if (!has_word(words, "tcp_metrics") && !has_word(words, "tcpmetrics"))
        miss(effect, "the command ip", words->count > 1 ? words->word[1] : "");
}

/* Queueing disciplines that only queue; netem and shapers change what a script sees. So do fq, for which
 * Linux paces, and a limit, which is 0 where packets are to be dropped. */
static void do_tc(struct effect *effect, const struct words *words)
{
    bool is_harmless =
        has_word(words, "qdisc") &&
        (has_word(words, "pfifo") || has_word(words, "pfifo_fast") || has_word(words, "fq_codel") ||
         has_word(words, "noqueue") || has_word(words, "del") || has_word(words, "show"));

    if (!is_harmless || has_word(words, "netem") || has_word(words, "limit"))
        miss(effect, "the command tc", words->count > 1 ? words->word[1] : "");
}

static const struct {
    const char *name;
    void (*run)(struct effect *effect, const struct words *words);
} commands[] = {
    {"sysctl", do_sysctl}, {"set_sysctls.py", do_set_sysctls},
    {"echo", do_echo},     {"defaults.sh", do_defaults},
    {"sleep", do_sleep},   {"ip", do_ip},
    {"tc", do_tc},         {"true", do_nothing},
    {":", do_nothing},     {"sync", do_nothing},
    {"nstat", do_nothing}, {"ethtool", do_nothing},
    {"false", do_false},
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void do_command(struct effect *effect, const struct words *words)
{
    const char *name = words->count ? base_name(words->word[0]) : "";
    size_t i;

    if (words->skipped)
        return;
    if (words->output && strcmp(name, "echo") != 0) {
        miss(effect, "the redirection to", words->output);
        return;
    }
    if (!strncmp(name, "sysctl_restore_", 15)) /* what set_sysctls.py leaves for the cleanup */
        return;
    for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        if (!strcmp(commands[i].name, name)) {
            commands[i].run(effect, words);
            return;
        }
    }
    miss(effect, "the command", name);
}

/* Tries `text` on a copy of what is set now. */
static void try_commands(const struct run *run, const char *text, struct effect *effect)
{
    struct words words = {.count = 0};
    const char *at = text;
    int more = 1;

    *effect = (struct effect){.config = run->config, .linux_config = run->linux_config};
    while (!*effect->missing && !effect->failed && (more = words_next(&at, &words)) > 0)
        do_command(effect, &words);
    if (more < 0)
        miss(effect, "the command", text);
}

/* ---- A real shell, if that is allowed ---- */

/* environ with PACKETDRILL_PID; the caller frees it. */
static char **shell_environment(char *own)
{
    size_t count = 0, kept = 0, i;
    char **copy;

    while (environ[count])
        count++;
    copy = calloc(count + 2, sizeof(*copy));
    for (i = 0; copy && i < count; i++)
        if (strncmp(environ[i], "PACKETDRILL_PID=", 16) != 0)
            copy[kept++] = environ[i];
    if (copy)
        copy[kept] = own;
    return copy;
}

static bool spawn_shell(const char *directory, const char *text, pid_t *pid)
{
    char shell[] = "sh", flag[] = "-c", own[48];
    char *command = strdup(text);
    char *arguments[] = {shell, flag, command, NULL};
    posix_spawn_file_actions_t actions;
    char **environment;
    bool is_running;

    snprintf(own, sizeof(own), "PACKETDRILL_PID=%ld", (long)getpid());
    environment = shell_environment(own);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, directory);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO,
                                     STDOUT_FILENO); /* ours is the report's */
    is_running = command && environment &&
                 !posix_spawn(pid, "/bin/sh", &actions, NULL, arguments, environment);
    posix_spawn_file_actions_destroy(&actions);
    free(environment);
    free(command);
    return is_running;
}

static void run_shell(struct run *run, const struct event *event, const char *text)
{
    char *directory = strdup(run->script->path);
    char *slash = directory ? strrchr(directory, '/') : NULL;
    int status = -1;
    pid_t pid;

    if (slash)
        slash[slash == directory] = '\0';
    if (!directory || !spawn_shell(slash ? directory : ".", text, &pid))
        run_fail(run, event, "sh could not be started");
    else if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status))
        run_fail(run, event, "the command `%.60s` ended with status %d", text,
                 WIFEXITED(status) ? WEXITSTATUS(status) : -1);
    free(directory);
}

/* ---- When ---- */

/* True if `effect` is understood; else the run is skipped, or is_shell says that sh is to do it. */
static bool is_understood(struct run *run, const struct event *event, const struct effect *effect,
                          bool *is_shell)
{
    *is_shell = *effect->missing && run->options->allow_shell;
    if (*effect->missing && !*is_shell)
        run_skip(run, event, "%s", effect->missing);
    return !*effect->missing;
}

static void configure(struct run *run, const char *text)
{
    struct effect effect;
    bool is_shell;

    if (run->ended)
        return;
    try_commands(run, text, &effect);
    if (is_understood(run, NULL, &effect, &is_shell)) {
        run->config = effect.config;
        run->linux_config = effect.linux_config;
        if (effect.failed)
            run_fail(run, NULL, "the command `%.60s` fails", text);
    } else if (is_shell) {
        run_shell(run, NULL, text);
    }
}

/* --init_scripts=a,b: each is a command. */
static void configure_list(struct run *run, const char *list)
{
    char *text = strdup(list), *at;

    for (at = text; at && (at = strchr(at, ',')); at++)
        *at = '\n';
    if (text)
        configure(run, text);
    free(text);
}

static void scan_later(struct run *run, const struct event *event, const char *text)
{
    struct effect effect;
    bool is_shell;

    if (run->ended)
        return;
    try_commands(run, text, &effect);
    is_understood(run, event, &effect, &is_shell);
}

void commands_begin(struct run *run)
{
    const struct script *script = run->script;
    const struct event *event;

    weir_stack_config_init(&run->config);
    weir_profile(run->profile, &run->config.tcp);
    for (event = script->events; event; event = event->next)
        if (event->kind == EVENT_COMMAND)
            scan_later(run, event, event->text);
    if (script->cleanup)
        scan_later(run, NULL, script->cleanup);
    run->has_initialised = !run->ended;
    if (run->init_scripts)
        configure_list(run, run->init_scripts);
    if (script->init)
        configure(run, script->init);
}

void run_command(struct run *run, const struct event *event)
{
    struct effect effect;
    bool is_shell;

    try_commands(run, event->text, &effect);
    if (!is_understood(run, event, &effect, &is_shell)) {
        if (is_shell)
            run_shell(run, event, event->text);
        return;
    }
    if (effect.failed)
        run_fail(run, event, "the command fails");
    if (effect.linux_config.rmem_max != run->linux_config.rmem_max ||
        effect.linux_config.wmem_max != run->linux_config.wmem_max ||
        effect.config.forwarding != run->config.forwarding)
        run_skip(run, event, "in mid-script, `%.60s`", event->text);
    run->config = effect.config;
    weir_stack_set_tcp(run->stack, &run->config.tcp);
    if (effect.sleep)
        world_advance(run, run->now + effect.sleep);
}

void commands_end(struct run *run)
{
    struct effect effect;

    if (!run->script->cleanup || !run->options->allow_shell || !run->has_initialised)
        return;
    try_commands(run, run->script->cleanup, &effect);
    if (*effect.missing)
        run_shell(run, NULL, run->script->cleanup);
}
