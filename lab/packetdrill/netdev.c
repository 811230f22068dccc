/* SPDX-License-Identifier: MIT */

/* The stack, the wire it hangs on, and the addresses it answers to.
 *
 *     netdev_send ──→ stack ── hub port 0 ══ hub port 1 ──→ queue of what was sent ──→ netdev_receive
 *
 * The stack is made when the first socket is, or the first packet comes, because only then the
 * script's settings stand in /proc/sys.
 *
 * packetdrill does not tell its addresses, so they are learnt:
 *
 *   - bind() to an address, before any is known: that is the script's local address. Later ones must
 *     be known, as on Linux (EADDRNOTAVAIL).
 *   - The first packet that comes, before any is known: its destination.
 *   - connect() and sendto() need a source before either: DEFAULT_ADDR, which is what packetdrill
 *     takes without --local_ip, stands in. packetdrill learns the address that a connection comes from
 *     out of its SYN, so that any will do. The stand-in stays when the real one is learnt later.
 *
 * Each address has an interface and a hub of its own, a prefix of 16 bits on-link, and the rest of the
 * world behind a gateway in it, which exists as much as every other neighbour: a packet is sent.
 *
 * Limits: ADAPTER_PACKETS_MAX packets that nobody has fetched (the rest is lost, with a message);
 * STEPS_MAX turns of the stack at one instant. */

#include <errno.h>
#include <lab/packetdrill/adapter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_ADDR 0xc0a80001u /* 192.168.0.1 */
#define PREFIX_BITS 16
#define HUB_QUEUE 1024u
#define STEPS_MAX 100000u
#define IP4_HEADER 20u

/* ---- Life ---------------------------------------------------------------------------------------- */

static void fill_seed(const struct adapter *adapter, struct weir_stack_config *config)
{
    unsigned i;

    for (i = 0; i < 8; i++)
        config->seed[i] = (uint8_t)(adapter->flags.seed >> (8 * i));
}

static void configure(const struct adapter *adapter, struct weir_stack_config *config,
                      struct linux_config *linux)
{
    weir_stack_config_init(config);
    weir_profile(adapter->flags.profile, &config->tcp);
    fill_seed(adapter, config);
    if (adapter->flags.has_sysctls)
        sysctls_apply(config, linux);
}

int netdev_open(struct adapter *adapter)
{
    struct linux_config linux = {
        .local = weir_addr_any4(),
        .numbers = {.get = numbers_get, .put = numbers_put, .context = adapter},
    };

    if (adapter->stack)
        return 0;
    configure(adapter, &adapter->config, &linux);
    adapter->stack = weir_stack_create(&adapter->config);
    if (!adapter->stack)
        return -ENOMEM;
    adapter->sockets = linux_create(adapter->stack, &linux);
    if (!adapter->sockets) {
        weir_stack_destroy(adapter->stack);
        adapter->stack = NULL;
        return -ENOMEM;
    }
    linux_set_now(adapter->sockets, adapter->now);
    if (adapter->capture)
        weir_stack_set_journal(adapter->stack, capture_journal(adapter->capture), 0);
    return 0;
}

void netdev_refresh(struct adapter *adapter)
{
    struct weir_stack_config config;
    struct linux_config unused = {0};

    if (!adapter->stack || !adapter->flags.has_sysctls)
        return;
    configure(adapter, &config, &unused);
    adapter->config = config;
    weir_stack_set_tcp(adapter->stack, &config.tcp);
}

void netdev_close(struct adapter *adapter)
{
    struct sent *sent;
    unsigned i;
    int fd;

    linux_destroy(adapter->sockets);
    weir_stack_destroy(adapter->stack);
    for (i = 0; i < adapter->ifaces_count; i++)
        weir_hub_destroy(adapter->ifaces[i].hub);
    while ((sent = netdev_take(adapter)))
        free(sent);
    for (fd = 0; fd < ADAPTER_FDS_MAX; fd++)
        numbers_put(adapter, fd);
}

/* ---- Addresses ------------------------------------------------------------------------------------ */

static struct adapter_iface *find_iface(struct adapter *adapter, uint32_t addr)
{
    unsigned i;

    for (i = 0; i < adapter->ifaces_count; i++) {
        if (adapter->ifaces[i].addr == addr)
            return &adapter->ifaces[i];
    }
    return NULL;
}

static void route_everything(struct adapter *adapter, uint32_t addr)
{
    uint32_t net = addr & ~((1u << (32 - PREFIX_BITS)) - 1);
    struct weir_addr gateway = weir_addr_from4(net + (addr == net + 2 ? 3 : 2));
    struct weir_prefix all = weir_prefix_from4(0, 0);

    if (weir_stack_add_route(adapter->stack, &all, &gateway) < 0)
        adapter_complain("no default route");
}

static void add_iface(struct adapter *adapter, uint32_t addr)
{
    struct adapter_iface *iface = &adapter->ifaces[adapter->ifaces_count];
    struct weir_prefix lan = weir_prefix_from4(addr, PREFIX_BITS);
    struct weir_addr own = weir_addr_from4(addr);
    char name[WEIR_IFACE_NAME];

    if (find_iface(adapter, addr) || adapter->ifaces_count == ADAPTER_IFACES_MAX)
        return;
    snprintf(name, sizeof(name), "wire%u", adapter->ifaces_count);
    iface->hub = weir_hub_create(2, adapter->flags.mtu, HUB_QUEUE);
    if (!iface->hub)
        return;
    iface->addr = addr;
    iface->index =
        weir_stack_add_iface(adapter->stack, name, weir_hub_port(iface->hub, 0), &own, &lan, false);
    if (iface->index < 0) {
        weir_hub_destroy(iface->hub);
        adapter_complain("the address %08x is none that a host can have", addr);
        return;
    }
    adapter->ifaces_count++;
    route_everything(adapter, addr);
}

void netdev_learn(struct adapter *adapter, uint32_t addr)
{
    uint32_t net = addr >> 24;

    if (adapter->knows_addr || net == 0 || net == 127 || net >= 224)
        return;
    adapter->knows_addr = true;
    add_iface(adapter, addr);
}

void netdev_need_addr(struct adapter *adapter)
{
    if (!adapter->ifaces_count)
        add_iface(adapter, DEFAULT_ADDR);
}

/* ---- Packets --------------------------------------------------------------------------------------- */

static void queue_packet(struct adapter *adapter, const struct weir_frame *frame)
{
    struct sent *sent;

    if (adapter->queued == ADAPTER_PACKETS_MAX)
        return;
    sent = malloc(sizeof(*sent) + frame->length);
    if (!sent || ++adapter->queued == ADAPTER_PACKETS_MAX)
        adapter_complain("too many packets that nobody fetches");
    if (!sent)
        return;
    *sent = (struct sent){.at = adapter->now, .length = frame->length};
    memcpy(sent->bytes, frame->data, frame->length);
    *adapter->queue_end = sent;
    adapter->queue_end = &sent->next;
}

struct sent *netdev_take(struct adapter *adapter)
{
    struct sent *sent = adapter->queue;

    if (!sent)
        return NULL;
    adapter->queue = sent->next;
    if (!adapter->queue)
        adapter->queue_end = &adapter->queue;
    adapter->queued--;
    return sent;
}

/* Moves what was sent to the queue; true if the stack was waiting for room. */
static bool collect(struct adapter *adapter, struct adapter_iface *iface)
{
    struct weir_link *ours = weir_hub_port(iface->hub, 0), *far = weir_hub_port(iface->hub, 1);
    struct weir_frame frames[32];
    int count, i;

    while ((count = far->ops->receive(far, frames, 32, adapter->now)) > 0) {
        for (i = 0; i < count; i++)
            queue_packet(adapter, &frames[i]);
    }
    if (!ours->refused)
        return false;
    ours->refused = false;
    weir_stack_link_ready(adapter->stack, iface->index);
    return true;
}

int netdev_inject(struct adapter *adapter, const void *packet, size_t length)
{
    const uint8_t *bytes = packet;
    struct weir_frame frame = {0};
    struct adapter_iface *iface;
    uint32_t dst;

    if (!bytes || length < IP4_HEADER || length > UINT16_MAX || bytes[0] >> 4 != 4)
        return -EINVAL;
    if (netdev_open(adapter) < 0)
        return -ENOMEM;
    dst = (uint32_t)bytes[16] << 24 | (uint32_t)bytes[17] << 16 | (uint32_t)bytes[18] << 8 |
          bytes[19];
    netdev_learn(adapter, dst);
    netdev_need_addr(adapter);
    iface = find_iface(adapter, dst);
    if (!iface)
        iface = &adapter->ifaces[0];
    if (!iface->hub)
        return -ENOMEM;
    frame.data = malloc(length);
    if (!frame.data)
        return -ENOMEM;
    memcpy(frame.data, bytes, length);
    frame.length = (uint32_t)length;
    weir_stack_input(adapter->stack, iface->index, &frame, 1, adapter->now);
    free(frame.data);
    netdev_step(adapter);
    return 0;
}

/* ---- Steps ----------------------------------------------------------------------------------------- */

static bool turn(struct adapter *adapter)
{
    bool has_more = weir_stack_poll(adapter->stack, adapter->now, 0);
    unsigned i;

    for (i = 0; i < adapter->ifaces_count; i++)
        has_more = collect(adapter, &adapter->ifaces[i]) || has_more;
    linux_step(adapter->sockets);
    capture_take(adapter->capture, NULL);
    has_more = call_retry(adapter) || has_more;
    return has_more || weir_stack_deadline(adapter->stack) <= adapter->now;
}

void netdev_step(struct adapter *adapter)
{
    unsigned turns = 0;

    if (!adapter->stack)
        return;
    linux_set_now(adapter->sockets, adapter->now);
    while (turn(adapter)) {
        if (turns++ == STEPS_MAX) {
            adapter_complain("more than %u turns at one instant", STEPS_MAX);
            return;
        }
    }
}

weir_time netdev_next(const struct adapter *adapter)
{
    weir_time stack = adapter->stack ? weir_stack_deadline(adapter->stack) : WEIR_NEVER;
    weir_time calls = call_wake(adapter);

    return stack < calls ? stack : calls;
}
