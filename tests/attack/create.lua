-- Creates trunks. Names differ: within a thread by a counter, between threads and runs by a random prefix.
math.randomseed(os.time() + math.floor(os.clock() * 1e6))
local turn, number = string.format("%d-%08x", os.time(), math.random(0, 0x7fffffff)), 0
local before, after =
    '{"data":{"type":"voice_out_trunks","attributes":{"name":"',
    '","on_cli_mismatch_action":"reject_call","authentication_method":{"type":"credentials_and_ip",'
        .. '"attributes":{"allowed_sip_ips":["203.0.113.0/24"]}}}}}'

request = function()
    number = number + 1
    return wrk.format("POST", nil, nil, before .. turn .. " " .. number .. after)
end
