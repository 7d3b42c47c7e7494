-- Places calls through one provider, whose carrier is busy.
local body = '{"provider_id":"{provider}","source":{"type":"tel","target":"+12025550143"},'
    .. '"destinations":[{"type":"tel","target":"+442079460018"}]}'

request = function()
    return wrk.format("POST", nil, nil, body)
end
