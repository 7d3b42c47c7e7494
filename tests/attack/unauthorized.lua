-- Counts the answers that pass a verdict on the credential: those with status 401.
local threads = {}
unauthorized = 0

setup = function(thread)
    table.insert(threads, thread)
end

response = function(status)
    if status == 401 then
        unauthorized = unauthorized + 1
    end
end

done = function()
    local all = 0
    for _, thread in ipairs(threads) do
        all = all + thread:get("unauthorized")
    end
    print("Unauthorized: " .. all)
end
