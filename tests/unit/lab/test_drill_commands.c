/* SPDX-License-Identifier: MIT */

/* Command lines of scripts: what they set, seen in how the stack behaves; what makes a script skipped;
 * and that a shell runs only when it is allowed. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <lab/drill/drill.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOTHING "0 close(3) = -1 EBADF (bad)\n"
/* An opening that one repeated SYN ends: passes if tcp_syn_retries is 1. */
#define ONE_RETRY                                                        \
    "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"                      \
    "0...3 connect(3, ..., ...) = -1 ETIMEDOUT (Connection timed out)\n" \
    "+0 > S 0:0(0) <...>\n"                                              \
    "+1 > S 0:0(0) <...>\n"
#define SYNS_OF(n) "`sysctl -q net.ipv4.tcp_syn_retries=" #n "`\n"

static const struct {
    enum drill_verdict verdict;
    const char *script;
    const char *said; /* a part of the text */
} rows[] = {
    /* What sets: without it the script fails. */
    {DRILL_FAILED, ONE_RETRY, ""},
    {DRILL_PASSED, SYNS_OF(1) ONE_RETRY, NULL},
    {DRILL_FAILED, SYNS_OF(2) ONE_RETRY, ""},
    {DRILL_PASSED, "`sysctl -w net.ipv4.tcp_syn_retries=1 > /dev/null 2>&1`\n" ONE_RETRY, NULL},
    {DRILL_PASSED, "`sysctl net.ipv4.tcp_syn_retries = 1`\n" ONE_RETRY, NULL},
    {DRILL_PASSED, "`sysctl net.ipv4.tcp_syn_retries= 1`\n" ONE_RETRY, NULL},
    {DRILL_PASSED, "`sysctl -q net.ipv4.tcp_sack=1 net.ipv4.tcp_syn_retries=\"1\"`\n" ONE_RETRY,
     NULL},
    {DRILL_PASSED, "`sync; sysctl -q net/ipv4/tcp_syn_retries=1 && true\n# done`\n" ONE_RETRY,
     NULL},
    {DRILL_PASSED, "`/sbin/sysctl -q net.ipv4.tcp_syn_retries=$((3-2))`\n" ONE_RETRY, NULL},
    {DRILL_PASSED, "`./set_sysctls.py /proc/sys/net/ipv4/tcp_syn_retries=1`\n" ONE_RETRY, NULL},
    {DRILL_PASSED,
     "`../common/set_sysctls.py /proc/sys/net/ipv4/tcp_ecn=0 "
     "/proc/sys/net/ipv4/tcp_syn_retries=1`\n" ONE_RETRY "`/tmp/sysctl_restore_${PPID}.sh`\n",
     NULL},
    {DRILL_PASSED, "`echo 1 > /proc/sys/net/ipv4/tcp_syn_retries`\n" ONE_RETRY, NULL},
    {DRILL_PASSED, "`./defaults.sh\nsysctl -q net.ipv4.tcp_syn_retries=1`\n" ONE_RETRY, NULL},
    {DRILL_FAILED, "`sysctl -q net.ipv4.tcp_syn_retries=1; ../common/defaults.sh`\n" ONE_RETRY, ""},
    {DRILL_FAILED, "--init_scripts=defaults.sh,/a/defaults.sh\n" ONE_RETRY, ""},
    {DRILL_PASSED, "--init_scripts=defaults.sh\n" SYNS_OF(1) ONE_RETRY, NULL},
    /* In mid-script, too. */
    {DRILL_PASSED, "0 `sysctl -q net.ipv4.tcp_syn_retries=1`\n+" ONE_RETRY, NULL},
    {DRILL_SKIPPED, "0 `sysctl -q net.core.rmem_max=9999`\n" NOTHING, "net.core.rmem_max=9999"},
    /* Time passes. */
    {DRILL_PASSED, "0 `sleep 2.5`\n+0 close(3) = -1 EBADF\n2.6 close(3) = -1 EBADF", NULL},
    {DRILL_FAILED,
     SYNS_OF(9) "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n"
                "0...9 connect(3, ..., ...) = -1\n+0 > S 0:0(0) <...>\n+0 `sleep 1.1`\n",
     ""},
    /* What makes no difference. */
    {DRILL_PASSED, "`ip tcp_metrics flush all > /dev/null 2>&1`\n" NOTHING, NULL},
    {DRILL_PASSED, "`tc qdisc replace dev tun0 root pfifo`\n" NOTHING "`:`\n", NULL},
    {DRILL_SKIPPED, "`tc qdisc replace dev tun0 root fq`\n" NOTHING, "the command tc"},
    {DRILL_SKIPPED, "`sysctl -q net.core.somaxconn=2`\n" NOTHING, "net.core.somaxconn=2"},
    {DRILL_PASSED, "`sysctl -q net.core.somaxconn=4096`\n" NOTHING, NULL},
    {DRILL_SKIPPED, "`tc qdisc add dev tun0 root pfifo limit 0`\n" NOTHING, "the command tc"},
    {DRILL_PASSED, "`ethtool -K tun0 tso off gso off; nstat -n`\n" NOTHING, NULL},
    {DRILL_PASSED, "``\n" NOTHING, NULL},
    {DRILL_PASSED, "`true || reboot`\n" NOTHING, NULL},
    {DRILL_FAILED, "`false`\n" NOTHING, "fails"},
    {DRILL_FAILED, "0 `false`\n", "fails"},
    /* What is not understood, by its name. */
    {DRILL_SKIPPED, "`reboot`\n" NOTHING, "the command reboot"},
    {DRILL_SKIPPED, "`/sbin/reboot now`\n" NOTHING, "the command reboot"},
    {DRILL_SKIPPED, NOTHING "+0 `reboot`\n", "t:2:1: the command reboot"},
    {DRILL_SKIPPED, "0 close(3) = 0\n`reboot`\n", "the command reboot"},
    {DRILL_SKIPPED, "`sysctl -q net.ipv4.tcp_nothing=1`\n" NOTHING,
     "the sysctl net.ipv4.tcp_nothing"},
    {DRILL_SKIPPED, "`sysctl -q net.ipv4.tcp_mtu_probing=1`\n" NOTHING, "tcp_mtu_probing=1"},
    {DRILL_SKIPPED, "`sysctl -q net.ipv4.tcp_syn_retries=x`\n" NOTHING, "tcp_syn_retries=x"},
    {DRILL_SKIPPED, "`sysctl -a`\n" NOTHING, "the command sysctl -a"},
    {DRILL_SKIPPED, "`sysctl =1`\n" NOTHING, "the sysctl =1"},
    {DRILL_SKIPPED, "`set_sysctls.py x`\n" NOTHING, "the command set_sysctls.py x"},
    {DRILL_SKIPPED, "`echo 1 > /etc/passwd`\n" NOTHING, "/etc/passwd"},
    {DRILL_SKIPPED, "`true > file`\n" NOTHING, "the redirection to file"},
    {DRILL_SKIPPED, "`ip route add default via 1.2.3.4`\n" NOTHING, "the command ip route"},
    {DRILL_SKIPPED, "`tc qdisc add dev tun0 root netem delay 10ms`\n" NOTHING, "the command tc"},
    {DRILL_SKIPPED, "`nstat | grep Tcp`\n" NOTHING, "the command nstat | grep Tcp"},
    {DRILL_SKIPPED, "0 `sleep x`\n", "the command sleep x"},
    {DRILL_SKIPPED, "0 `sleep 99999999999`\n", "the command sleep"},
};

static void run(const char *path, const char *script, bool allow_shell, struct drill_result *result)
{
    struct drill_options options = {.profile = WEIR_PROFILE_LINUX, .allow_shell = allow_shell};

    drill_text(path, script, strlen(script), &options, result);
}

static void check(const char *path, const char *script, bool allow_shell,
                  enum drill_verdict verdict, const char *said)
{
    struct drill_result result;
    const char *text;

    run(path, script, allow_shell, &result);
    text = result.text ? result.text : "";
    if (result.verdict != verdict || (said && !strstr(text, said)))
        fail_msg("script:\n%s\nverdict %d, not %d; said: %s", script, result.verdict, verdict,
                 text);
    free(result.text);
}

static void commands_are_settings(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        check("t", rows[i].script, false, rows[i].verdict, rows[i].said);
}

/* A folder with a script's path in it. */
struct folder {
    char name[32], path[64], mark[64];
};

static void make_folder(struct folder *folder)
{
    snprintf(folder->name, sizeof(folder->name), "/tmp/weir-drill-XXXXXX");
    assert_non_null(mkdtemp(folder->name));
    snprintf(folder->path, sizeof(folder->path), "%s/t.pkt", folder->name);
    snprintf(folder->mark, sizeof(folder->mark), "%s/mark", folder->name);
}

static void remove_folder(struct folder *folder)
{
    unlink(folder->mark);
    assert_int_equal(rmdir(folder->name), 0);
}

static bool was_marked(const struct folder *folder)
{
    bool was = access(folder->mark, F_OK) == 0;

    unlink(folder->mark);
    return was;
}

static void no_shell_unless_allowed(void **state)
{
    struct folder folder;

    (void)state;
    make_folder(&folder);
    check(folder.path, "`touch mark`\n" NOTHING, false, DRILL_SKIPPED, "the command touch");
    check(folder.path, NOTHING "+0 `touch mark`\n", false, DRILL_SKIPPED, "the command touch");
    check(folder.path, NOTHING "`touch mark`\n", false, DRILL_SKIPPED, "the command touch");
    assert_false(was_marked(&folder));
    remove_folder(&folder);
}

static void a_shell_that_is_allowed(void **state)
{
    struct folder folder;

    (void)state;
    make_folder(&folder);
    check(folder.path, "`touch mark`\n" NOTHING, true, DRILL_PASSED, NULL);
    assert_true(was_marked(&folder));
    check(folder.path, NOTHING "+0 `touch mark`\n", true, DRILL_PASSED, NULL);
    assert_true(was_marked(&folder));
    check(folder.path, "`test $PACKETDRILL_PID -gt 1`\n" NOTHING, true, DRILL_PASSED, NULL);
    check(folder.path, "`exit 7`\n" NOTHING, true, DRILL_FAILED, "ended with status 7");
    check(folder.path, NOTHING "+0 `exit 7`\n", true, DRILL_FAILED, "ended with status 7");
    check(folder.path, NOTHING "`exit 7`\n", true, DRILL_FAILED, "ended with status 7");
    check(folder.path, "`kill -9 $$`\n" NOTHING, true, DRILL_FAILED, "ended with status -1");
    /* The cleanup comes after a failure too, and what is understood needs no shell. */
    check(folder.path, "0 close(3) = 0\n`touch mark`\n", true, DRILL_FAILED, "EBADF");
    assert_true(was_marked(&folder));
    check(folder.path, SYNS_OF(1) ONE_RETRY "`touch mark`\n", true, DRILL_PASSED, NULL);
    assert_true(was_marked(&folder));
    /* Not if the init failed to run. */
    check(folder.path, "0 > S 0:0(0) <mss 1,sackOK,nop,nop>\n`touch mark`\n", true, DRILL_SKIPPED,
          "sackOK");
    assert_false(was_marked(&folder));
    remove_folder(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_settings),
        cmocka_unit_test(no_shell_unless_allowed),
        cmocka_unit_test(a_shell_that_is_allowed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
