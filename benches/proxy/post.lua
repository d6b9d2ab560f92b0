-- Posts one body over and over, and prints one line that benches/proxy/load.rs reads.
-- Used as: wrk … -s post.lua URL -- BODY_FILE

init = function(args)
    local file = assert(io.open(args[1], "rb"))
    wrk.method = "POST"
    wrk.body = file:read("*a")
    file:close()
    wrk.headers["Content-Type"] = "application/x-sentry-envelope"
    wrk.headers["X-Sentry-Auth"] =
        "Sentry sentry_version=7, sentry_client=sentry.python/2.30.0, sentry_key=5f2c9a1e7b8d40369e1fa2c47d6b8350"
end

done = function(summary, latency, requests)
    local failed = summary.errors
    io.write(string.format("RESULT %d %d %d %d %d\n", summary.requests, summary.duration,
        failed.status + failed.connect + failed.read + failed.write + failed.timeout,
        latency:percentile(50), latency:percentile(99)))
end
