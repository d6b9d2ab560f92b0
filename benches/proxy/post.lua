-- Posts bodies in turn, over and over, and prints one line that benches/proxy/load.rs reads.
-- Used as: wrk … -s post.lua URL -- BODY_FILES, where those are BODY_FILES followed by 0, 1, 2, …

local requests, nth = {}, 0

init = function(args)
    wrk.method = "POST"
    wrk.headers["Content-Type"] = "application/x-sentry-envelope"
    wrk.headers["X-Sentry-Auth"] =
        "Sentry sentry_version=7, sentry_client=sentry.python/2.30.0, sentry_key=5f2c9a1e7b8d40369e1fa2c47d6b8350"
    while true do
        local file = io.open(args[1] .. #requests, "rb")
        if not file then break end
        requests[#requests + 1] = wrk.format(nil, nil, nil, file:read("*a"))
        file:close()
    end
    assert(#requests > 0, "no body")
end

request = function()
    nth = nth % #requests + 1
    return requests[nth]
end

done = function(summary, latency, requests)
    local failed = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
        failed.status + failed.connect + failed.read + failed.write + failed.timeout,
        latency:percentile(50), latency:percentile(99)))
end
