/* SPDX-License-Identifier: MIT */

/* A network that exists in this program only, and a capture of it for Wireshark.
 *
 * Two hosts are joined by a wire that loses every twentieth packet. One connects to the other, sends
 * a text and closes, in virtual time. Both note their packets in a journal. Each entry of the client's
 * becomes a block of a pcapng file: with the time, the direction, the reason why the packet was sent,
 * and the name of its drop if there was one.
 *
 *     capture FILE.pcapng && wireshark FILE.pcapng
 */

#include <stdio.h>
#include <stdlib.h>
#include <weir/pcapng.h>
#include <weir/sim.h>
#include <weir/socket.h>

#define PORT 80
#define SIZE 100000

static uint64_t memory[1 << 16];
static uint8_t block[65536 + WEIR_PCAPNG_BLOCK_MAX];

struct run {
    FILE *file;
    int listener, sender, receiver; /* sockets; -1: not yet */
    size_t sent, received;
};

static void put(FILE *file, long length)
{
    if (length < 0 || fwrite(block, 1, (size_t)length, file) != (size_t)length)
        exit(1);
}

/* The journal is half full, or the run is over. */
static void write_packets(void *context, struct weir_sim *sim, struct weir_journal *journal)
{
    struct run *run = context;
    const struct weir_journal_entry *entry;
    size_t at = 0;

    (void)sim;
    while ((entry = weir_journal_next(journal, &at)) != NULL) {
        if (entry->source == 0) /* the client; both in one file would be each packet twice */
            put(run->file, weir_pcapng_packet(block, sizeof(block), 0, 0, entry));
    }
    journal->used = 0;
}

static void send_some(struct weir_stack *stack, struct run *run)
{
    static const char text[1000] = "a text";
    long count = 1;

    while (run->sent < SIZE && count > 0) {
        count = weir_socket_send(stack, run->sender, text, sizeof(text), 0);
        run->sent += count > 0 ? (size_t)count : 0;
    }
    if (run->sent >= SIZE)
        weir_socket_close(stack, run->sender);
}

static void receive_some(struct weir_stack *stack, struct run *run)
{
    char text[4096];
    long count;

    while ((count = weir_socket_recv(stack, run->receiver, text, sizeof(text))) > 0)
        run->received += (size_t)count;
    if (count == 0)
        weir_socket_close(stack, run->receiver);
}

static void handle(void *context, struct weir_sim *sim, int node, const struct weir_event *event)
{
    struct weir_stack *stack = weir_sim_stack(sim, node);
    struct run *run = context;

    if (node == 0 && run->sent < SIZE && event->events & WEIR_OUT)
        send_some(stack, run);
    if (node == 1 && event->events & WEIR_ACCEPT)
        run->receiver = weir_socket_accept(stack, run->listener, NULL);
    if (node == 1 && run->receiver >= 0 && event->events & (WEIR_IN | WEIR_HUP | WEIR_ACCEPT))
        receive_some(stack, run);
}

/* A host with the address 10.0.0.`number`. */
static void add_host(struct weir_sim *sim, int network, unsigned number)
{
    const struct weir_impair impair = {.loss = 0.05, .delay_ns = 10 * WEIR_MS, .seed = number};
    struct weir_addr addr = weir_addr_from4(0x0a000000 + number);
    struct weir_prefix prefix = weir_prefix_from4(0x0a000000, 24);
    struct weir_stack_config config;
    int node;

    weir_stack_config_init(&config);
    node = weir_sim_add_node(sim, &config);
    if (node < 0 || weir_sim_join(sim, node, network, "if0", &addr, &prefix, &impair) < 0)
        exit(1);
}

static void begin_file(FILE *file)
{
    struct weir_pcapng_interface client = {
        .name = "client", .addr = weir_addr_from4(0x0a000001), .prefix_bits = 24};

    put(file, weir_pcapng_section(block, sizeof(block), "examples/capture"));
    put(file, weir_pcapng_interface(block, sizeof(block), &client));
}

int main(int argc, char **argv)
{
    struct weir_journal journal = {.bytes = (uint8_t *)memory, .size = sizeof(memory)};
    struct weir_endpoint local = {weir_addr_any4(), PORT};
    struct weir_endpoint remote = {weir_addr_from4(0x0a000002), PORT};
    struct run run = {argc == 2 ? fopen(argv[1], "wb") : NULL, -1, -1, -1, 0, 0};
    struct weir_sim *sim = weir_sim_create(1);
    int network = sim ? weir_sim_add_network(sim, 2, 1500) : -1;

    if (!run.file || network < 0)
        return 1;
    begin_file(run.file);
    add_host(sim, network, 1);
    add_host(sim, network, 2);
    weir_sim_resolve(sim, network);
    weir_sim_set_journal(sim, &journal, write_packets, &run);
    weir_sim_on_event(sim, handle, &run);
    run.listener = weir_socket_open(weir_sim_stack(sim, 1), WEIR_TCP, 0);
    weir_socket_bind(weir_sim_stack(sim, 1), run.listener, &local);
    weir_socket_listen(weir_sim_stack(sim, 1), run.listener, 1);
    run.sender = weir_socket_open(weir_sim_stack(sim, 0), WEIR_TCP, 0);
    weir_socket_connect(weir_sim_stack(sim, 0), run.sender, &remote, 0);
    weir_sim_touch(sim, 0);
    weir_sim_run(sim, 60 * WEIR_SECOND);
    printf("%zu bytes arrived\n", run.received);
    weir_sim_destroy(sim);
    return fclose(run.file) == 0 && run.received == SIZE ? 0 : 1;
}
