-- Changes the name of one of several trunks after the other. Names differ as those of creates do.
local random = assert(io.open("/dev/urandom", "rb"))
local turn, number = random:read(8):gsub(".", function(byte) return string.format("%02x", byte:byte()) end), 0
random:close()
local ids = { {ids} }
wrk.headers["Content-Type"] = "application/vnd.api+json"

request = function()
    number = number + 1
    local id = ids[number % #ids + 1]
    local body = '{"data":{"type":"voice_out_trunks","id":"' .. id .. '","attributes":{"name":"'
        .. turn .. " " .. number .. '"}}}'
    return wrk.format("PATCH", "/v3/voice_out_trunks/" .. id, nil, body)
end
