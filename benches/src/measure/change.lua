-- Changes the name of one of several trunks after the other. Names differ as those of creates do.
math.randomseed(os.time() + math.floor(os.clock() * 1e6))
local turn, number = string.format("%d-%08x", os.time(), math.random(0, 0x7fffffff)), 0
local ids = { {ids} }
wrk.headers["Content-Type"] = "application/vnd.api+json"

request = function()
    number = number + 1
    local id = ids[number % #ids + 1]
    local body = '{"data":{"type":"voice_out_trunks","id":"' .. id .. '","attributes":{"name":"'
        .. turn .. " " .. number .. '"}}}'
    return wrk.format("PATCH", "/v3/voice_out_trunks/" .. id, nil, body)
end
