"""Calls of three models' SDKs with the prompts of `planted.json`, whatever instruments them.

A program of an application: prompts stand in variables and go through functions of its own. What fails is given to `report`.
"""

import json

from stub import PLANTED, picture

PARAMETERS = {
    "type": "object",
    "properties": {"port": {"type": "string", "enum": ["north", "south"]}, "hours": {"type": "integer"}},
    "required": ["port"],
}


def openai_chat(client):
    said = PLANTED["openai.chat"]
    tool = {"type": "function", "function": {"name": "tide_table", "description": said["tool_description"], "parameters": PARAMETERS}}
    called = {"id": "call_tide1", "type": "function", "function": {"name": "tide_table", "arguments": json.dumps({"port": said["tool_argument"]})}}
    messages = [
        {"role": "system", "content": said["system"]},
        {"role": "assistant", "content": said["history"]},
        {"role": "user", "content": said["user"]},
        {"role": "assistant", "content": None, "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "call_tide1", "content": said["tool_result"]},
    ]
    client.chat.completions.create(model="gpt-5-mini", messages=messages, tools=[tool], stop=[said["stop"]], temperature=0.25, max_tokens=512)


def openai_tool(client):
    said = PLANTED["openai.tool"]
    tool = {"type": "function", "function": {"name": "tide_table", "description": said["tool_description"], "parameters": PARAMETERS}}
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": said["user"]}], tools=[tool])


def openai_stream(client):
    said = PLANTED["openai.stream"]
    messages = [{"role": "system", "content": said["system"]}, {"role": "user", "content": [{"type": "text", "text": said["user"]}]}]
    for _chunk in client.chat.completions.create(model="gpt-5-mini", messages=messages, stream=True, stream_options={"include_usage": True}):
        pass


def openai_vision(client):
    said = PLANTED["openai.vision"]
    parts = [
        {"type": "text", "text": said["user"]},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture(said['upload'])}"}},
        {"type": "image_url", "image_url": {"url": f"https://images.example.com/up/{said['link']}.png?sig=0123456789abcdef", "detail": "low"}},
    ]
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "user", "content": parts}])


def openai_responses(client):
    said = PLANTED["openai.responses"]
    tool = {"type": "function", "name": "tide_table", "description": said["tool_description"], "parameters": PARAMETERS, "strict": False}
    client.responses.create(model="gpt-5", instructions=said["system"], input=said["user"], tools=[tool])


def openai_responses_stream(client):
    said = PLANTED["openai.responses_stream"]
    question = [{"role": "user", "content": [{"type": "input_text", "text": said["user"]}]}]
    for _event in client.responses.create(model="gpt-5", instructions=said["system"], input=question, stream=True):
        pass


def openai_embedding(client):
    client.embeddings.create(model="text-embedding-3-small", input=[PLANTED["openai.embedding"]["input"]], encoding_format="float")


def openai_image(client):
    client.images.generate(model="gpt-image-1", prompt=PLANTED["openai.image"]["prompt"], n=2)


def openai_error(client):
    said = PLANTED["openai.error"]
    story, wish = said["system"], said["user"]
    client.chat.completions.create(model="gpt-5-mini", messages=[{"role": "system", "content": story}, {"role": "user", "content": wish}])


def anthropic_chat(client):
    said = PLANTED["anthropic.chat"]
    messages = [
        {"role": "user", "content": said["history"]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "tide_table", "input": {"port": said["tool_argument"]}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": said["tool_result"]}, {"type": "text", "text": said["user"]}]},
    ]
    tool = {"name": "tide_table", "description": said["tool_description"], "input_schema": PARAMETERS}
    client.messages.create(
        model="claude-sonnet-5", max_tokens=2048, system=said["system"], messages=messages, tools=[tool], stop_sequences=[said["stop"]],
        thinking={"type": "enabled", "budget_tokens": 1024},
    )  # fmt: skip


def anthropic_tool(client):
    said = PLANTED["anthropic.tool"]
    tool = {"name": "tide_table", "description": said["tool_description"], "input_schema": PARAMETERS}
    client.messages.create(model="claude-sonnet-5", max_tokens=512, messages=[{"role": "user", "content": said["user"]}], tools=[tool])


def anthropic_stream(client):
    said = PLANTED["anthropic.stream"]
    system = [{"type": "text", "text": said["system"], "cache_control": {"type": "ephemeral"}}]
    messages = [{"role": "user", "content": said["user"]}]
    for _event in client.messages.create(model="claude-sonnet-5", max_tokens=512, system=system, messages=messages, stream=True):
        pass


def anthropic_vision(client):
    said = PLANTED["anthropic.vision"]
    source = {"type": "base64", "media_type": "image/png", "data": picture(said["upload"])}
    parts = [{"type": "image", "source": source}, {"type": "text", "text": said["user"]}]
    client.messages.create(model="claude-sonnet-5", max_tokens=512, messages=[{"role": "user", "content": parts}])


def anthropic_error(client):
    said = PLANTED["anthropic.error"]
    story, wish = said["system"], said["user"]
    client.messages.create(model="claude-sonnet-5", max_tokens=512, system=story, messages=[{"role": "user", "content": wish}])


def google_tools(description):
    return [{"function_declarations": [{"name": "tide_table", "description": description, "parameters_json_schema": PARAMETERS}]}]


def google_chat(client):
    said = PLANTED["google.chat"]
    contents = [
        {"role": "user", "parts": [{"text": said["history"]}]},
        {"role": "model", "parts": [{"function_call": {"name": "tide_table", "args": {"port": said["tool_argument"]}}}]},
        {"role": "user", "parts": [{"function_response": {"name": "tide_table", "response": {"result": said["tool_result"]}}}, {"text": said["user"]}]},
    ]
    config = {"system_instruction": said["system"], "tools": google_tools(said["tool_description"]), "stop_sequences": [said["stop"]], "temperature": 0.25}
    client.models.generate_content(model="gemini-3-flash", contents=contents, config=config)


def google_tool(client):
    said = PLANTED["google.tool"]
    client.models.generate_content(model="gemini-3-flash", contents=said["user"], config={"tools": google_tools(said["tool_description"])})


def google_stream(client):
    said = PLANTED["google.stream"]
    config = {"system_instruction": said["system"]}
    for _chunk in client.models.generate_content_stream(model="gemini-3-flash", contents=[said["user"]], config=config):
        pass


def google_vision(client):
    from google.genai import types

    said = PLANTED["google.vision"]
    from base64 import b64decode

    parts = [
        types.Part.from_text(text=said["user"]),
        types.Part.from_bytes(data=b64decode(picture(said["upload"])), mime_type="image/png"),
        types.Part.from_uri(file_uri=f"gs://studio-uploads/{said['link']}.png", mime_type="image/png"),
    ]
    client.models.generate_content(model="gemini-3-flash", contents=[types.Content(role="user", parts=parts)])


def google_embedding(client):
    client.models.embed_content(model="gemini-embedding-001", contents=PLANTED["google.embedding"]["input"])


def google_error(client):
    said = PLANTED["google.error"]
    story, wish = said["system"], said["user"]
    client.models.generate_content(model="gemini-3-flash", contents=wish, config={"system_instruction": story})


def make_all(provider, client, report):
    """Makes the calls of one provider. One that fails where it should not, or does not where it should, ends the program."""
    for name in PLANTED:
        if not name.startswith(provider + "."):
            continue
        try:
            globals()[name.replace(".", "_")](client)
        except Exception as error:
            if not name.endswith(".error"):
                raise
            report(error)
        else:
            assert not name.endswith(".error"), f"{name} was answered"
