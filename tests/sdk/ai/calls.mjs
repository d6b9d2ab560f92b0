// Calls of three models' SDKs, and of the AI SDK, with the prompts of `planted.json`, whatever instruments them.
//
// A program of an application: prompts stand in variables and go through functions of its own. What fails is given to `report`.
import { readFileSync } from 'node:fs';

export const planted = JSON.parse(readFileSync(new URL('planted.json', import.meta.url)));
const parameters = {
  type: 'object',
  properties: { port: { type: 'string', enum: ['north', 'south'] }, hours: { type: 'integer' } },
  required: ['port'],
};

// As `stub.py` makes them: the bytes before and behind do not matter here, only that they are a picture's.
function picture(text) {
  const head = Buffer.from('89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de', 'hex');
  const comment = Buffer.from(`Comment\0${text}`);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(comment.length);
  return Buffer.concat([head, size, Buffer.from('tEXt'), comment, Buffer.from('00000000' + '0000000049454e44ae426082', 'hex')]);
}

const dataUri = text => `data:image/png;base64,${picture(text).toString('base64')}`;

/** What an application does with a refusal: the variables of this function are what a tracker records of it. */
function refused(story, wish, cause) {
  const messages = [{ role: 'system', content: story }, { role: 'user', content: wish }];
  const job = { id: 7, title: wish, messages };
  throw new Error(`job ${job.id} failed after ${messages.length} messages`, { cause });
}

async function drain(stream) {
  for await (const _chunk of await stream) {
    // What is read is thrown away: the instrumentation has seen it.
  }
}

function openaiTool(description) {
  return { type: 'function', function: { name: 'tide_table', description, parameters } };
}

const openai = {
  'openai.chat': (client, said) => {
    const called = { id: 'call_tide1', type: 'function', function: { name: 'tide_table', arguments: JSON.stringify({ port: said.tool_argument }) } };
    const messages = [
      { role: 'system', content: said.system },
      { role: 'assistant', content: said.history },
      { role: 'user', content: said.user },
      { role: 'assistant', content: null, tool_calls: [called] },
      { role: 'tool', tool_call_id: 'call_tide1', content: said.tool_result },
    ];
    const tools = [openaiTool(said.tool_description)];
    return client.chat.completions.create({ model: 'gpt-5-mini', messages, tools, stop: [said.stop], temperature: 0.25, max_tokens: 512 });
  },
  'openai.tool': (client, said) =>
    client.chat.completions.create({ model: 'gpt-5-mini', messages: [{ role: 'user', content: said.user }], tools: [openaiTool(said.tool_description)] }),
  'openai.stream': (client, said) => {
    const messages = [{ role: 'system', content: said.system }, { role: 'user', content: [{ type: 'text', text: said.user }] }];
    return drain(client.chat.completions.create({ model: 'gpt-5-mini', messages, stream: true, stream_options: { include_usage: true } }));
  },
  'openai.vision': (client, said) => {
    const content = [
      { type: 'text', text: said.user },
      { type: 'image_url', image_url: { url: dataUri(said.upload) } },
      { type: 'image_url', image_url: { url: `https://images.example.com/up/${said.link}.png?sig=0123456789abcdef`, detail: 'low' } },
    ];
    return client.chat.completions.create({ model: 'gpt-5-mini', messages: [{ role: 'user', content }] });
  },
  'openai.responses': (client, said) => {
    const tools = [{ type: 'function', name: 'tide_table', description: said.tool_description, parameters, strict: false }];
    return client.responses.create({ model: 'gpt-5', instructions: said.system, input: said.user, tools });
  },
  'openai.responses_stream': (client, said) => {
    const input = [{ role: 'user', content: [{ type: 'input_text', text: said.user }] }];
    return drain(client.responses.create({ model: 'gpt-5', instructions: said.system, input, stream: true }));
  },
  'openai.embedding': (client, said) => client.embeddings.create({ model: 'text-embedding-3-small', input: [said.input], encoding_format: 'float' }),
  'openai.image': (client, said) => client.images.generate({ model: 'gpt-image-1', prompt: said.prompt, n: 2 }),
  'openai.error': (client, said) => {
    const story = said.system;
    const wish = said.user;
    const messages = [{ role: 'system', content: story }, { role: 'user', content: wish }];
    return client.chat.completions.create({ model: 'gpt-5-mini', messages }).catch(error => refused(story, wish, error));
  },
};

const anthropic = {
  'anthropic.chat': (client, said) =>
    client.messages.create({
      model: 'claude-sonnet-5',
      max_tokens: 2048,
      system: said.system,
      messages: [
        { role: 'user', content: said.history },
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'tide_table', input: { port: said.tool_argument } }] },
        { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: said.tool_result }, { type: 'text', text: said.user }] },
      ],
      tools: [{ name: 'tide_table', description: said.tool_description, input_schema: parameters }],
      stop_sequences: [said.stop],
      thinking: { type: 'enabled', budget_tokens: 1024 },
    }),
  'anthropic.tool': (client, said) =>
    client.messages.create({
      model: 'claude-sonnet-5',
      max_tokens: 512,
      messages: [{ role: 'user', content: said.user }],
      tools: [{ name: 'tide_table', description: said.tool_description, input_schema: parameters }],
    }),
  'anthropic.stream': (client, said) => {
    const system = [{ type: 'text', text: said.system, cache_control: { type: 'ephemeral' } }];
    return drain(client.messages.create({ model: 'claude-sonnet-5', max_tokens: 512, system, messages: [{ role: 'user', content: said.user }], stream: true }));
  },
  'anthropic.vision': (client, said) => {
    const source = { type: 'base64', media_type: 'image/png', data: picture(said.upload).toString('base64') };
    const content = [{ type: 'image', source }, { type: 'text', text: said.user }];
    return client.messages.create({ model: 'claude-sonnet-5', max_tokens: 512, messages: [{ role: 'user', content }] });
  },
  'anthropic.error': (client, said) => {
    const story = said.system;
    const wish = said.user;
    const messages = [{ role: 'user', content: wish }];
    return client.messages.create({ model: 'claude-sonnet-5', max_tokens: 512, system: story, messages }).catch(error => refused(story, wish, error));
  },
};

function googleTools(description) {
  return [{ functionDeclarations: [{ name: 'tide_table', description, parametersJsonSchema: parameters }] }];
}

const google = {
  'google.chat': (client, said) =>
    client.models.generateContent({
      model: 'gemini-3-flash',
      contents: [
        { role: 'user', parts: [{ text: said.history }] },
        { role: 'model', parts: [{ functionCall: { name: 'tide_table', args: { port: said.tool_argument } } }] },
        { role: 'user', parts: [{ functionResponse: { name: 'tide_table', response: { result: said.tool_result } } }, { text: said.user }] },
      ],
      config: { systemInstruction: said.system, tools: googleTools(said.tool_description), stopSequences: [said.stop], temperature: 0.25 },
    }),
  'google.tool': (client, said) =>
    client.models.generateContent({ model: 'gemini-3-flash', contents: said.user, config: { tools: googleTools(said.tool_description) } }),
  'google.stream': (client, said) =>
    drain(client.models.generateContentStream({ model: 'gemini-3-flash', contents: [said.user], config: { systemInstruction: said.system } })),
  'google.vision': (client, said) => {
    const parts = [
      { text: said.user },
      { inlineData: { data: picture(said.upload).toString('base64'), mimeType: 'image/png' } },
      { fileData: { fileUri: `gs://studio-uploads/${said.link}.png`, mimeType: 'image/png' } },
    ];
    return client.models.generateContent({ model: 'gemini-3-flash', contents: [{ role: 'user', parts }] });
  },
  'google.embedding': (client, said) => client.models.embedContent({ model: 'gemini-embedding-001', contents: said.input }),
  'google.error': (client, said) => {
    const story = said.system;
    const wish = said.user;
    const request = { model: 'gemini-3-flash', contents: wish, config: { systemInstruction: story } };
    return client.models.generateContent(request).catch(error => refused(story, wish, error));
  },
};

/** The same through the AI SDK: `ai` is the module, `provider` the one of OpenAI. `more` goes with every call. */
function vercel(ai, provider, more) {
  const chat = provider.chat('gpt-5-mini');
  const responses = provider.responses('gpt-5');
  const options = { maxRetries: 0, ...more };
  const tideTable = (description, execute) => ({ tide_table: ai.tool({ description, inputSchema: ai.jsonSchema(parameters), execute }) });
  const question = text => [{ role: 'user', content: [{ type: 'text', text }] }];
  return {
    'openai.chat': said =>
      ai.generateText({
        model: chat,
        instructions: said.system,
        messages: [
          { role: 'assistant', content: said.history },
          { role: 'user', content: said.user },
          { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'call_tide1', toolName: 'tide_table', input: { port: said.tool_argument } }] },
          { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call_tide1', toolName: 'tide_table', output: { type: 'text', value: said.tool_result } }] },
        ],
        tools: tideTable(said.tool_description),
        stopSequences: [said.stop],
        ...options,
      }),
    'openai.tool': said => ai.generateText({ model: chat, prompt: said.user, tools: tideTable(said.tool_description, async () => planted['openai.chat'].tool_result), ...options }),
    'openai.stream': async said => drain((await ai.streamText({ model: chat, instructions: said.system, messages: question(said.user), ...options })).textStream),
    'openai.vision': said =>
      ai.generateText({
        model: chat,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: said.user },
              { type: 'file', data: picture(said.upload), mediaType: 'image/png' },
              { type: 'file', data: new URL(`https://images.example.com/up/${said.link}.png?sig=0123456789abcdef`), mediaType: 'image/png' },
            ],
          },
        ],
        ...options,
      }),
    'openai.responses': said => ai.generateText({ model: responses, instructions: said.system, prompt: said.user, tools: tideTable(said.tool_description), ...options }),
    'openai.responses_stream': async said => drain((await ai.streamText({ model: responses, instructions: said.system, messages: question(said.user), ...options })).textStream),
    'openai.embedding': said => ai.embed({ model: provider.embedding('text-embedding-3-small'), value: said.input, ...options }),
    'openai.error': said => {
      const story = said.system;
      const wish = said.user;
      return ai.generateText({ model: chat, instructions: story, prompt: wish, ...options }).catch(error => refused(story, wish, error));
    },
  };
}

async function each(calls, make, report) {
  for (const name of Object.keys(calls)) {
    let failed;
    try {
      await make(name);
    } catch (error) {
      if (!name.endsWith('.error')) throw new Error(`${name} failed`, { cause: error });
      failed = error;
    }
    if (name.endsWith('.error') && !failed) throw new Error(`${name} was answered`);
    if (failed) report(failed);
  }
}

/** Makes the calls of one provider. One that fails where it should not, or does not where it should, ends the program. */
export function makeAll(provider, client, report) {
  const calls = { openai, anthropic, google }[provider];
  return each(calls, name => calls[name](client, planted[name]), report);
}

export function makeAllByAiSdk(ai, provider, report, more) {
  const calls = vercel(ai, provider, more);
  return each(calls, name => calls[name](planted[name]), report);
}
