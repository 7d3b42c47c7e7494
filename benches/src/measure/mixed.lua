-- Of twenty requests one creates a trunk, two list fifty, and seventeen get the trunk of the URL.
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
    if number % 20 == 0 then
        return wrk.format("POST", "/v3/voice_out_trunks", nil, before .. turn .. " " .. number .. after)
    elseif number % 10 == 5 then
        return wrk.format("GET", "/v3/voice_out_trunks")
    end
    return wrk.format("GET")
end
