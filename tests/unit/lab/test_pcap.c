/* SPDX-License-Identifier: MIT */

/* Capture files byte for byte, and what happens when they cannot be written. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <lab/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEADER 24u

static size_t slurp(const char *path, uint8_t *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    size_t length;

    assert_non_null(file);
    length = fread(bytes, 1, room, file);
    fclose(file);
    return length;
}

static void temporary(char path[32])
{
    int fd;

    strcpy(path, "/tmp/test_pcap_XXXXXX");
    fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void test_bytes(void **state)
{
    static const uint8_t expected[] = {
        0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 101, 0, 0, 0,
        /* 3.000005 s, 3 bytes */
        3, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0, 'a', 'b', 'c',
        /* 0x01020304.999999 s, nothing in it */
        4, 3, 2, 1, 0x3f, 0x42, 0x0f, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        /* a time before the beginning */
        0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 'd'};
    uint8_t bytes[256];
    struct pcap *pcap;
    char path[32];

    (void)state;
    temporary(path);
    pcap = pcap_open(path);
    assert_non_null(pcap);
    pcap_write(pcap, 3 * WEIR_SECOND + 5999, "abc", 3);
    pcap_write(pcap, 0x01020304 * WEIR_SECOND + 999999999, NULL, 0);
    pcap_write(pcap, -1, "d", 1);
    assert_int_equal(pcap_close(pcap), 0);
    assert_int_equal(slurp(path, bytes, sizeof(bytes)), sizeof(expected));
    assert_memory_equal(bytes, expected, sizeof(expected));
    unlink(path);
}

/* A file that is there is emptied; an empty capture is a header. */
static void test_empty(void **state)
{
    uint8_t bytes[64];
    char path[32];

    (void)state;
    temporary(path);
    for (int round = 0; round < 2; round++) {
        struct pcap *pcap = pcap_open(path);

        if (round == 0)
            pcap_write(pcap, 0, "abc", 3);
        assert_int_equal(pcap_close(pcap), 0);
    }
    assert_int_equal(slurp(path, bytes, sizeof(bytes)), HEADER);
    unlink(path);
}

/* No IP packet is that long; the record says how long it was. */
static void test_cut(void **state)
{
    static const size_t snaplen = 262144, length = snaplen + 1;
    uint8_t *big = calloc(1, length), head[HEADER + 16];
    struct pcap *pcap;
    char path[32];

    (void)state;
    temporary(path);
    pcap = pcap_open(path);
    pcap_write(pcap, 0, big, length);
    assert_int_equal(pcap_close(pcap), 0);
    assert_int_equal(slurp(path, head, sizeof(head)), sizeof(head));
    assert_memory_equal(head + HEADER + 8, "\0\0\4\0\1\0\4\0", 8);
    unlink(path);
    free(big);
}

static void test_failures(void **state)
{
    static uint8_t packet[60000];
    struct pcap *full;

    (void)state;
    errno = 0;
    assert_null(pcap_open("/no/such/folder/file"));
    assert_int_equal(errno, ENOENT);
    assert_int_equal(pcap_close(NULL), 0);
    pcap_write(NULL, 0, "a", 1);
    full = pcap_open("/dev/full");
    assert_non_null(full);
    assert_int_equal(pcap_close(full), -ENOSPC);
    full = pcap_open("/dev/full");
    for (int i = 0; i < 10; i++)
        pcap_write(full, 0, packet, sizeof(packet));
    errno = 0; /* it is the first error that is told */
    assert_int_equal(pcap_close(full), -ENOSPC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_empty),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
