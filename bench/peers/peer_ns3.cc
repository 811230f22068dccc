/* SPDX-License-Identifier: MIT */

/* ns-3 at the work of the row `sim-segments`: the network h1 - r1 - r2 - h2 in virtual time, bulk data
 * from h1 to h2, one core.
 *
 *   peer_ns3 [MIB]
 *
 * The links, like ours: 1 Gbit/s, 1 ms, MTU 1500, a queue of 1000 packets. TCP as ns-3 has it (CUBIC,
 * SACK and timestamps off, segments of 1460 bytes, delayed ACKs), buffers of 1 MiB. ns-3 makes no
 * checksums unless asked, and payload is a number of zeros that nobody stores: both are left so.
 * Counted are the TCP segments with data that h2's IP layer is given, however many hops each has made.
 *
 * Prints `segments`, `seconds` of wall time, `segments_per_s`, and `virtual_s`. */

#include <chrono>
#include <cstdio>
#include <cstdlib>

#include <ns3/applications-module.h>
#include <ns3/core-module.h>
#include <ns3/internet-module.h>
#include <ns3/network-module.h>
#include <ns3/point-to-point-module.h>

using namespace ns3;

static uint64_t segments;

static void received(Ptr<const Packet> packet, Ptr<Ipv4>, uint32_t)
{
    if (packet->GetSize() > 100)
        segments++;
}

static void settings()
{
    Config::SetDefault("ns3::TcpSocket::SegmentSize", UintegerValue(1460));
    Config::SetDefault("ns3::TcpSocket::SndBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocket::RcvBufSize", UintegerValue(1 << 20));
    Config::SetDefault("ns3::TcpSocketBase::Sack", BooleanValue(false));
    Config::SetDefault("ns3::TcpSocketBase::Timestamp", BooleanValue(false));
}

static Ipv4Address network(NodeContainer &nodes)
{
    PointToPointHelper link;
    InternetStackHelper stack;
    Ipv4AddressHelper addresses("10.0.0.0", "255.255.255.0");
    Ipv4InterfaceContainer last;

    link.SetDeviceAttribute("DataRate", StringValue("1Gbps"));
    link.SetDeviceAttribute("Mtu", UintegerValue(1500));
    link.SetChannelAttribute("Delay", StringValue("1ms"));
    link.SetQueue("ns3::DropTailQueue", "MaxSize", StringValue("1000p"));
    stack.Install(nodes);
    for (uint32_t i = 0; i + 1 < nodes.GetN(); i++) {
        last = addresses.Assign(link.Install(nodes.Get(i), nodes.Get(i + 1)));
        addresses.NewNetwork();
    }
    Ipv4GlobalRoutingHelper::PopulateRoutingTables();
    return last.GetAddress(1);
}

int main(int argc, char **argv)
{
    uint64_t bytes = (argc > 1 ? strtoull(argv[1], nullptr, 10) : 64) << 20;
    NodeContainer nodes;

    settings();
    nodes.Create(4);

    InetSocketAddress to(network(nodes), 5001);
    BulkSendHelper source("ns3::TcpSocketFactory", to);
    PacketSinkHelper sink("ns3::TcpSocketFactory", InetSocketAddress(Ipv4Address::GetAny(), 5001));

    source.SetAttribute("MaxBytes", UintegerValue(bytes));
    source.SetAttribute("SendSize", UintegerValue(65536));
    source.Install(nodes.Get(0));

    ApplicationContainer sinks = sink.Install(nodes.Get(3));

    nodes.Get(3)->GetObject<Ipv4L3Protocol>()->TraceConnectWithoutContext("Rx",
                                                                          MakeCallback(&received));
    auto start = std::chrono::steady_clock::now();
    Simulator::Run();
    double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

    if (DynamicCast<PacketSink>(sinks.Get(0))->GetTotalRx() != bytes) {
        fprintf(stderr, "peer_ns3: not all has arrived\n");
        return 1;
    }
    printf("segments %lu\nseconds %.3f\nsegments_per_s %.0f\nvirtual_s %.3f\n", segments, took,
           (double)segments / took, Simulator::Now().GetSeconds());
    Simulator::Destroy();
    return 0;
}
