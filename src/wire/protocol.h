/* SPDX-License-Identifier: MIT */
#ifndef WIRE_PROTOCOL_H
#define WIRE_PROTOCOL_H

/* Protocol numbers above IP. */

enum ip_protocol {
    IP_PROTOCOL_TEST = 0, /* the Brown course's */
    IP_PROTOCOL_ICMP = 1,
    IP_PROTOCOL_TCP = 6,
    IP_PROTOCOL_UDP = 17,
    IP_PROTOCOL_RIP = 200, /* the Brown course's */
};

#endif
