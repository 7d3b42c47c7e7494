-- Creates trunks. Names differ: within a turn by a counter, between turns by a random prefix, which no clock determines: one
-- that is set back would repeat it.
local random = assert(io.open("/dev/urandom", "rb"))
local turn, number = random:read(8):gsub(".", function(byte) return string.format("%02x", byte:byte()) end), 0
random:close()
local before, after =
    '{"data":{"type":"voice_out_trunks","attributes":{"name":"',
    '","on_cli_mismatch_action":"reject_call","authentication_method":{"type":"credentials_and_ip",'
        .. '"attributes":{"allowed_sip_ips":["203.0.113.0/24"]}}}}}'
wrk.headers["Content-Type"] = "application/vnd.api+json"

request = function()
    number = number + 1
    return wrk.format("POST", nil, nil, before .. turn .. " " .. number .. after)
end
