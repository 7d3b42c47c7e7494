-- Each thread sends to one of the nodes, in turn.
local ports, threads = { {ports} }, 0

function setup(thread)
    thread.addr = wrk.lookup("127.0.0.1", tostring(ports[threads % #ports + 1]))[1]
    threads = threads + 1
end

