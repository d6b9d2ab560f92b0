// Invented programs that report with real SDKs of analytics and language-model services.
//
// Usage: node services_programs.mjs SDK URL PLANTED    prints what the SDK said about its own sending as one line of JSON
const [sdk, url, planted] = process.argv.slice(2);
const { ip, email, token, prompt, phc, writeKey, publicKey, secretKey } = JSON.parse(planted);
const note = `mail from ${email} at ${ip} with ${token}`;
const complaints = [];

const programs = {
  async posthog() {
    const { PostHog } = await import('posthog-node');
    const client = new PostHog(phc, { host: url, flushAt: 10 });
    client.on?.('error', error => complaints.push(String(error)));
    for (const event of ['opened', 'rendered', 'paid']) {
      client.capture({ distinctId: email, event, properties: { note, $ip: ip, n: 1.5 } });
    }
    client.identify({ distinctId: email, properties: { email, name: 'Jane Roe', $anon_distinct_id: 'anon-1' } });
    client.alias({ distinctId: email, alias: 'anon-1' });
    client.capture({ distinctId: email, event: '$ai_generation', properties: { $ai_input: [{ role: 'user', content: prompt }], $ai_model: 'm' } });
    const flag = await client.isFeatureEnabled('beta', email, { personProperties: { email } });
    await client.shutdown();
    return { flag, events: 6 };
  },
  async segment() {
    const { Analytics } = await import('@segment/analytics-node');
    const client = new Analytics({ writeKey, host: url, maxEventsInBatch: 10 });
    client.on('error', error => complaints.push(JSON.stringify(error)));
    client.identify({ userId: email, anonymousId: 'anon-1', traits: { email, name: 'Jane Roe', address: { street: '1 Example Road' } } });
    client.alias({ previousId: 'anon-1', userId: email });
    client.track({ userId: email, event: 'Rendered', properties: { note, prompt }, context: { ip } });
    client.page({ userId: email, name: 'Start', properties: { url: `https://shop.example.com/?mail=${email}` } });
    await client.closeAndFlush({ timeout: 10_000 });
    return { events: 4 };
  },
  async rudderstack() {
    const { default: Rudder } = await import('@rudderstack/rudder-sdk-node');
    const client = new Rudder(writeKey, { dataPlaneUrl: url, flushAt: 10, flushInterval: 500, logLevel: 'error' });
    client.identify({ userId: email, anonymousId: 'anon-1', traits: { email, name: 'Jane Roe', address: { street: '1 Example Road' } } });
    client.alias({ previousId: 'anon-1', userId: email });
    client.track({ userId: email, event: 'Rendered', properties: { note, prompt }, context: { ip } });
    client.page({ userId: email, name: 'Start', properties: { url: `https://shop.example.com/?mail=${email}` } });
    await new Promise((resolve, reject) => client.flush(error => (error ? reject(error) : resolve())));
    return { events: 4 };
  },
  async langfuse() {
    const { Langfuse } = await import('langfuse');
    const client = new Langfuse({ publicKey, secretKey, baseUrl: url });
    client.on('error', error => complaints.push(String(error)));
    const trace = client.trace({ name: 'render', userId: email, sessionId: 's-1', input: prompt, metadata: { note } });
    const generation = trace.generation({ name: 'draw', model: 'gpt-5', input: [{ role: 'user', content: prompt }] });
    generation.end({ output: { role: 'assistant', content: `drawn: ${prompt}` }, usage: { input: 9, output: 4 } });
    client.score({ traceId: trace.id, name: 'thumbs', value: 1, comment: note });
    await client.shutdownAsync();
    return { trace: trace.id, generation: generation.id };
  },
};

const error = console.error;
console.error = (...what) => (complaints.push(what.map(String).join(' ')), error(...what));
const said = await programs[sdk]();
console.log(JSON.stringify({ said, complaints }));
process.exit(0);
