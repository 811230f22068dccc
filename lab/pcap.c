/* SPDX-License-Identifier: MIT */

/* A capture file: a header of 24 bytes, then 16 bytes and the packet for each packet.
 *
 *     header   magic 4 │ version 2.4 │ zone 4 │ sigfigs 4 │ snaplen 4 │ linktype 4
 *     record   seconds 4 │ microseconds 4 │ bytes here 4 │ bytes of the packet 4 │ the packet
 *
 * The magic number tells a reader the byte order and that the fraction is in microseconds. All numbers
 * are written least byte first, on every machine, so that equal runs give equal files. Times below a
 * microsecond are cut off. Seconds are 32 bits, unsigned: they end in the year 2106.
 *
 * Writing goes through stdio's buffer. The first error is kept and told by pcap_close, so that who
 * writes need not ask after each packet; after an error nothing more is written.
 *
 * Limits: SNAPLEN bytes a packet, which no IP packet exceeds; what is longer is cut there. */

#include <errno.h>
#include <lab/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define MAGIC 0xa1b2c3d4u
#define VERSION 0x00040002u /* 2, then 4: two numbers of 16 bits */
#define SNAPLEN 262144u
#define LINKTYPE_RAW 101u

struct pcap {
    FILE *file;
    int error; /* errno of the first failure */
};

static void put(struct pcap *pcap, const void *bytes, size_t length)
{
    if (!pcap->error && length && fwrite(bytes, 1, length, pcap->file) != length)
        pcap->error = errno ? errno : EIO;
}

static void put_words(struct pcap *pcap, const uint32_t *words, size_t count)
{
    uint8_t bytes[4];
    size_t i, k;

    for (i = 0; i < count; i++) {
        for (k = 0; k < 4; k++)
            bytes[k] = (uint8_t)(words[i] >> (8 * k));
        put(pcap, bytes, sizeof(bytes));
    }
}

struct pcap *pcap_open(const char *path)
{
    const uint32_t header[] = {MAGIC, VERSION, 0, 0, SNAPLEN, LINKTYPE_RAW};
    struct pcap *pcap = calloc(1, sizeof(*pcap));

    if (!pcap)
        return NULL;
    pcap->file = fopen(path, "wbe");
    if (!pcap->file) {
        int error = errno;

        free(pcap);
        errno = error;
        return NULL;
    }
    put_words(pcap, header, sizeof(header) / sizeof(header[0]));
    return pcap;
}

void pcap_write(struct pcap *pcap, weir_time at, const void *bytes, size_t length)
{
    uint32_t kept = length < SNAPLEN ? (uint32_t)length : SNAPLEN;
    uint32_t record[4] = {0, 0, kept, (uint32_t)length};

    if (!pcap)
        return;
    if (at > 0) {
        record[0] = (uint32_t)(at / WEIR_SECOND);
        record[1] = (uint32_t)(at % WEIR_SECOND / WEIR_US);
    }
    put_words(pcap, record, 4);
    put(pcap, bytes, kept);
}

int pcap_close(struct pcap *pcap)
{
    int error;

    if (!pcap)
        return 0;
    if (fclose(pcap->file) != 0 && !pcap->error)
        pcap->error = errno;
    error = pcap->error;
    free(pcap);
    return -error;
}
