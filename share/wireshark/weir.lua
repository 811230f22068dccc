-- SPDX-License-Identifier: MIT
--
-- Wireshark and tshark learn the protocols of the Brown University CSCI 1680 virtual network, which
-- weir's nodes speak:
--
--   RIP            IP protocol 200: command 2 bytes, number of entries 2, then cost, address and
--                  mask, 4 bytes each; at most 64 entries, and a cost of 16 is infinity
--   test packets   IP protocol 0: text
--   links          UDP datagrams that carry one IP packet each: Decode As... > "Weir link", or
--                  any port with an IPv4 packet inside if the preference says so
--
-- It lies in one of Wireshark's plug-in folders, or is named with `tshark -X lua_script:weir.lua`.

local infinity, most_entries = 16, 64

-- ---- RIP ------------------------------------------------------------------------------------------

local rip = Proto("brownrip", "RIP (Brown CSCI 1680)")
local commands = {[1] = "Request", [2] = "Response"}

rip.fields.command = ProtoField.uint16("brownrip.command", "Command", base.DEC, commands)
rip.fields.count = ProtoField.uint16("brownrip.count", "Entries")
rip.fields.entry = ProtoField.none("brownrip.entry", "Entry")
rip.fields.cost = ProtoField.uint32("brownrip.cost", "Cost")
rip.fields.address = ProtoField.ipv4("brownrip.address", "Address")
rip.fields.mask = ProtoField.ipv4("brownrip.mask", "Mask")
rip.experts.command = ProtoExpert.new("brownrip.bad_command", "neither request nor response",
                                      expert.group.MALFORMED, expert.severity.ERROR)
rip.experts.count = ProtoExpert.new("brownrip.bad_count", "more than 64 entries",
                                    expert.group.MALFORMED, expert.severity.ERROR)
rip.experts.length = ProtoExpert.new("brownrip.bad_length",
                                     "the entries do not fill the packet", expert.group.MALFORMED,
                                     expert.severity.ERROR)
rip.experts.mask = ProtoExpert.new("brownrip.bad_mask", "the mask has holes",
                                   expert.group.MALFORMED, expert.severity.WARN)
rip.experts.cost = ProtoExpert.new("brownrip.bad_cost", "cost beyond infinity",
                                   expert.group.PROTOCOL, expert.severity.WARN)
rip.experts.infinite = ProtoExpert.new("brownrip.infinite", "unreachable", expert.group.SEQUENCE,
                                       expert.severity.NOTE)

-- The bits of a mask, or nil if ones follow zeros.
local function prefix_length(mask)
    local bits, left = 0, mask
    while left >= 0x80000000 do
        bits, left = bits + 1, left * 2 - 0x100000000
    end
    return left == 0 and bits or nil
end

local function add_entry(tree, range)
    local cost = range(0, 4):uint()
    local bits = prefix_length(range(8, 4):uint())
    local prefix = tostring(range(4, 4):ipv4()) .. "/" .. (bits or tostring(range(8, 4):ipv4()))
    local entry = tree:add(rip.fields.entry, range)

    entry:set_text(string.format("%s, cost %s", prefix, cost == infinity and "infinity" or cost))
    local cost_item = entry:add(rip.fields.cost, range(0, 4))
    entry:add(rip.fields.address, range(4, 4))
    local mask_item = entry:add(rip.fields.mask, range(8, 4))
    if cost == infinity then
        cost_item:add_proto_expert_info(rip.experts.infinite)
    elseif cost > infinity then
        cost_item:add_proto_expert_info(rip.experts.cost)
    end
    if not bits then
        mask_item:add_proto_expert_info(rip.experts.mask)
    end
end

function rip.dissector(buffer, pinfo, tree)
    local length = buffer:len()
    if length < 4 then
        return 0
    end
    local command, count = buffer(0, 2):uint(), buffer(2, 2):uint()
    local top = tree:add(rip, buffer())
    local command_item = top:add(rip.fields.command, buffer(0, 2))
    local count_item = top:add(rip.fields.count, buffer(2, 2))
    local fitting = math.min(count, math.floor((length - 4) / 12))

    pinfo.cols.protocol = "RIP"
    pinfo.cols.info = string.format("%s, %d %s", commands[command] or "Unknown command", count,
                                    count == 1 and "entry" or "entries")
    if not commands[command] then
        command_item:add_proto_expert_info(rip.experts.command)
    end
    if count > most_entries then
        count_item:add_proto_expert_info(rip.experts.count)
    end
    if length ~= 4 + 12 * count then
        top:add_proto_expert_info(rip.experts.length)
    end
    for i = 0, fitting - 1 do
        add_entry(top, buffer(4 + 12 * i, 12))
    end
    return length
end

-- ---- Test packets ---------------------------------------------------------------------------------

local test = Proto("browntest", "Test packet (Brown CSCI 1680)")
test.fields.text = ProtoField.string("browntest.text", "Text")

local by_protocol = DissectorTable.get("ip.proto")
local hop_by_hop = by_protocol:get_dissector(0) -- what 0 means in IPv6

function test.dissector(buffer, pinfo, tree)
    if hop_by_hop and tostring(pinfo.net_src):find(":", 1, true) then
        return hop_by_hop:call(buffer, pinfo, tree)
    end
    local top = tree:add(test, buffer())

    if buffer:len() > 0 then
        top:add(test.fields.text, buffer())
    end
    pinfo.cols.protocol = "Test"
    pinfo.cols.info = "Test packet: " .. (buffer:len() > 0 and buffer():string() or "")
    return buffer:len()
end

by_protocol:add(200, rip)
by_protocol:add(0, test)

-- ---- Links ----------------------------------------------------------------------------------------

local link = Proto("weirlink", "Weir link")
link.prefs.guess = Pref.bool("Take UDP datagrams with an IPv4 packet inside for links", false,
                             "For captures of the real interface, where each link of the virtual " ..
                             "network has UDP ports of its own")

local ip = Dissector.get("ip")

function link.dissector(buffer, pinfo, tree)
    tree:add(link, buffer(0, 0))
    return ip:call(buffer, pinfo, tree)
end

-- Exactly one IPv4 packet, of a protocol that the virtual network has.
local function is_link(buffer, pinfo, tree)
    local known = {[0] = true, [1] = true, [6] = true, [17] = true, [200] = true}
    if not link.prefs.guess or buffer:len() < 20 or buffer(0, 1):uint() < 0x45 or
       buffer(0, 1):uint() > 0x4f or buffer(2, 2):uint() ~= buffer:len() or
       not known[buffer(9, 1):uint()] then
        return false
    end
    link.dissector(buffer, pinfo, tree)
    return true
end

DissectorTable.get("udp.port"):add_for_decode_as(link)
link:register_heuristic("udp", is_link)
