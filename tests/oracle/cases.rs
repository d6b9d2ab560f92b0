//! Inputs written by hand: what an edge looks like, and what once went wrong.

use tamis::redact::ItemFormat::{self, Form, Json, JsonOrText, Text};

/// Inputs on which engine and oracle must agree, and every property hold.
pub(crate) fn agreed() -> Vec<(ItemFormat, Vec<u8>)> {
    let mut cases: Vec<(ItemFormat, Vec<u8>)> = Vec::new();
    for document in DOCUMENTS {
        for format in [Json, JsonOrText, Text] {
            cases.push((format, document.as_bytes().to_vec()));
        }
    }
    for bytes in BYTES {
        for format in [Json, JsonOrText, Text, Form] {
            cases.push((format, bytes.to_vec()));
        }
    }
    for text in TEXTS {
        cases.push((Text, text.as_bytes().to_vec()));
        cases.push((JsonOrText, text.as_bytes().to_vec()));
    }
    for form in FORMS {
        cases.push((Form, form.as_bytes().to_vec()));
    }
    for depth in [127, 128, 129, 130, 200] {
        let array = "[".repeat(depth) + "\"jane@example.com\"" + &"]".repeat(depth);
        let object = "{\"a\":".repeat(depth) + "\"jane@example.com\"" + &"}".repeat(depth);
        let cut = "[{\"a\":".repeat(depth / 2) + "\"jane@example.com\", 7 jane@example.com";
        for document in [array, object, cut] {
            cases.push((Json, document.clone().into_bytes()));
            cases.push((JsonOrText, document.into_bytes()));
        }
    }
    for levels in 1..=6 {
        for inner in
            ["\"jane@example.com\"", "{\"user\":{\"ip_address\":\"192.0.2.7\"},\"prompt\":\"a fox\"}"]
        {
            let mut document = format!("{{\"a\":{inner}}}");
            for _ in 0..levels {
                document = format!("{{\"b\":{}}}", super::generate::literal(&document, 3));
            }
            cases.push((Json, document.into_bytes()));
        }
    }
    for times in 1..=6 {
        let mut text = "told jane@example.com at 192.0.2.7".to_owned();
        for _ in 0..times {
            text = super::generate::percent(&text, 0);
        }
        cases.push((Text, text.clone().into_bytes()));
        cases.push((Json, format!("[\"{text}\"]").into_bytes()));
        cases.push((Form, format!("a={text}").into_bytes()));
    }
    cases
}

const DOCUMENTS: &[&str] = &[
    // Numbers that OTLP writes as strings.
    "{\"attributes\":[{\"key\":\"card\",\"value\":{\"intValue\":\"4111111111111111\"}},{\"key\":\"llm.token_count.prompt\",\"value\":{\"intValue\" : \"4862\"}}]}",
    "[{\"key\":\"otp\",\"value\":{\"intValue\":\"486245\"}},{\"key\":\"otp\",\"value\":{\"intValue\":\"48a245\"}},{\"prompt\":{\"intValue\":\"-7\",\"a\":\"7\"}}]",
    // Behind too many layers, one of them words of MIME: what goes whole stands in no word.
    r#""%22\\\\u002\\u0030{'\\u005cu0074\\\\u0072\\\\u0061c\\\\u0065':%20'\\\\u003d?u\\\\u0074f\\u002d\\\\u003\\u0038\\\\u003fQ?j\\\\u0061ne%3d40e\\\\\\u00750078am\\\\u0070l\\\\u0065%3d\\\\u0032Ec\\u006f\\\\u006d_b?%3d',%20'n\\\\u0027\\\\u003a%20\\\\u0031}%22""#,
    // Printed pairs that begin as a document does.
    r#"{"db_password_0197c1f0-0000-7000-8000-000000000001":"x1y2z3","db_password-0197c1f0-0000-7000-8000-00000000000g":"x1y2z4"}"#,
    r#""db_password" => "x1y2z3", "email": "jane@example.com""#,
    r#"  "db_password": "x1y2\"z3","#,
    r#"["db_password"] => x1y2z3"#,
    "[db_password] => x1y2z3",
    "{Region:eu DbPassword:x1y2z3}",
    r#"["a","jane@example.com" => "x", [{"#,
    r#"{"a":{"b":"jane@example.com"},"c" => "192.0.2.7"}"#,
    // Numbers that text follows: a document breaks behind the first group.
    "4111 1111 1111 1111 was refused",
    "[4111 1111 1111 1111] {\"a\": 4111 1111 1111 1111}",
    "4111111111111111 4111 1111 1111 1111",
    "{\"a\":[{\"b\":-4111-1111-1111-1111",
    // Bytes that a programming language writes out.
    r#"{"a":"jane\\x40example\\x2ecom","b":"\\x4 \\xzz C:\\xampp jane\\x40example.com\\u0021"}"#,
    r"192\x2e0.2.7 jane\x40example.com \x1b[31mjane@example.org\x1b[0m",
    // What a program was called with, and what was printed twice.
    r#"{"argv":["a","--db-password","x1y2z3","b","--db_password","--email","jane",["--db-password","x1"],"--db-password",{"a":"x1"},"b"]}"#,
    r#"{"argv":["--db-password",1234,5678,"--db-password=x1","-db-password","x1","db_password","x1","--db-p\u0061ssword","x1"]}"#,
    // Names and values in turn.
    r#"{"rawHeaders":["Host","shop.example.org","Cookie","sid=0a1b","Accept","*/*","x-api-key",7,"Authorization",{"a":["b"]},"Vary","Cookie","Cookie"]}"#,
    r#"{"rawHeaders":[["Cookie","x1y2"],"Cookie","C\u006fokie","x1y2","Set-Cookie",["password","x1y2"],"--cookie","x1y2"],"rawTrailers":["Cookie" , "x1y2" ],"rawHeader":["Cookie","x1y2"]}"#,
    r#"[["rawHeaders",["Cookie","x1y2"]],{"name":"rawHeaders","value":["a","Cookie","Cookie","x1y2"]},"[\"rawHeaders\"]","{\"rawHeaders\":[\"Cookie\",\"x1y2\"]}"]"#,
    "req { rawHeaders: [ 'Vary', 'Cookie',\n 'Cookie',\n 'sid=0a1b', { a: 'Cookie' }, 'b', 'Cookie', [ 'c' ], 'x-api-key', 'it\\'s', 'Cookie' ], n: [ 'Cookie', \"x1y2\" ] }",
    // The same, wrapped as OTLP does.
    r#"{"key":"process.command_args","value":{"arrayValue":{"values":[{"stringValue":"--db-password"},{"stringValue":"x1y2"},{"stringValue":"b"},{"stringValue":"--db-password"},"x1y2",{"value":"--db-password"},"b"]}}}"#,
    r#"[{"a":{"stringValue":"--db-password"}},"b",{"stringValue":"--db-password","x":[{"stringValue":"--b"}],"stringValue":"--b"},"x1y2",[{"stringValue":"Cookie"},{"stringValue":"x1y2"}],{"stringValue":"-db-password"},"b",{"intValue":"--db-password","b":"--b"},{"intValue":"7"}]"#,
    r#"{"key":"rawHeaders","value":{"arrayValue":{"values":[{"stringValue":"Vary"},{"stringValue":"Cookie"},{"stringValue":"Cookie"},{"stringValue":"x1y2"},{"name":"cookie","value":"Cookie"},{"stringValue":"b"}]}}}"#,
    // A text that goes for what stands behind it teaches nothing; a field in a container that goes does.
    r#"{"system":[["name","{'username': 'jroe_77'}"]],"messages":"by jroe_77"}"#,
    r#"{"system":["&#123;&quot;username&quot;:&quot;jroe_77&quot;&#125;",{"username":"wroe_78"}],"messages":"by jroe_77, wroe_78"}"#,
    r#"[{"content":"{'username': 'jroe_77'}","role":"user"},{"content":["{'username': 'jroe_78'}"],"role":"user"},"jroe_77 jroe_78"]"#,
    // A name that no path ends in, below a rule for whatever has no name there.
    r#"{"gen_ai.promptpostgres:\u0002f/app:y":1,"gen_ai":{"x":"app:y user=z"}}"#,
    // A line break that stands bare in a string, and in base64 that is packed again.
    "[\"eyd1c2VyJzogJ0JlYXJlciBhYmNkZWYuMTIzNDU2\nJywgJ24nOiAxfQ==\", \"\\u0061\"]",
    r#"{"a":"cfg: {\\\"db_password\\\": \\\"x1y2z3\\\", \\\"n\\\": 1}","b":"| db_password | x1y2z3 |\\n**db_password**: `x1y2z3`"}"#,
    // What stands for a value in a statement, and what does not.
    r#"{"a":"WHERE email = $1 AND db_password=:name AND email = :Name1","b":"login(email: $e, db_password: $pw1) email=@p0 email = ?12 db_password=?1234"}"#,
    // Rows of SQL.
    r#"{"a":"INSERT INTO t (id, db_password) VALUES (1, 'x1y''2z3'), (2, 1234)","b":"insert into t(db_password) values('{\"email\":\"jane@example.com\"}')"}"#,
    "insert into t (a, db_password, email) values (now(), 'x1'); INSERT INTO t (db_password, email) VALUES (NULL, 'jane')",
    // Colours of a terminal, whole and cut, plain and in a document.
    "[33m192.0.2.7[0m [1;31mjane@example.com[0m x[5m] [33m4111 1111 1111 1111[0m [m[;1m[1m",
    r#"{"a":"[33mdb_password[0m=x1y2z3 [0m","b":"[33m192.0.2.7[5m]"}"#,
    // Account numbers with letters, and keywords, headers and lists of names and values.
    "KZ51125ABCDEF0123GHI _LU33 001F OXIN SNOW 12A4_ xKZ51125ABCDEF0123GHI KZ51 125A KZ51125ABCDEF0123GHI",
    r#"{"a":"\nKZ51125ABCDEF0123GHI","b":"{:db_password \"x1y2z3\" :n 4}","c":"curl -H 'X-Db-Password: x1y2z3' -v\nDb_password : x1y2z3"}"#,
    "{:a/db_password \"x1y2z3\", :email \"jane\"} db_password           = x1y2z3\n< db-password: x1y2z3",
    "\u{1b}[1mjane@example.com\u{1b}[0m \u{1b}[31;1m192.0.2.7\u{1b}[",
    r#"{"a":"\u001b[1mjane@example.com\u001b[0m","b":"\u001b[K192.0.2.7"}"#,
    // Elements that say what they hold, and versions by their key.
    r#"{"a":"<user><email>jane</email><password>x1y2z3</password></user><input name=\"password\" value='x1'>"}"#,
    r#"{"version":"1.2.3.4","app":{"osBuild":["10.1.2.3"],"v":"{\"a\":\"1.2.3.4\"}"},"release":"192.0.2.7"}"#,
    // What lies below a rule for sentences.
    r#"{"vars":{"headers":[1,2,3,4,5,6,7,8],"a":{"b":{"c":"a teal fox on a bridge, painted in oil colours"}}}}"#,
    // Printed names that are written in another way.
    r#"["[{'t\\ext': 'x', 'role': 'user'}]", "[{'Content': {'A': 'x'}, 'ROLE': 'user'}]"]"#,
    // A printed key that ends in a backslash, and is named all the same.
    r#""\"\\\"\"prompt\":\u0020\"a \\\"teal\\\" fox\"\"""#,
    // Keys in a string that is looked at again, and are numbered once.
    r#"{"user":{"email":"jroe_77@example.com","username":"jroe_77"},"a":"{\"jane@example.com\":\"jroe_77\"}"}"#,
    "",
    " ",
    "\u{feff}",
    "\u{feff}{\"a\":\"jane@example.com\"}",
    "\"jane@example.com\"",
    "\"{{auto}}\"",
    "null",
    "7",
    "-",
    "01",
    "[1,]",
    "{,}",
    "{\"a\"}",
    "{\"a\":1,}",
    "[1 2]",
    "[\"a\" \"b\"]",
    "{\"a\":NaN,\"b\":[Infinity,-Infinity],\"c\":9007199254740993,\"d\":1e400}",
    "{\"password\":1234,\"secret\":0,\"api_key\":-0,\"cookie\":NaN,\"pwd\":-Infinity,\"passwd\":true}",
    "{\"email\":\"a\",\"email\":\"b\",\"email\":null}",
    "{\"jane@example.com\":1,\"joe@example.com\":2,\"x\":{\"192.0.2.7\":\"192.0.2.8\"}}",
    "{\"jane\\u0040example.com\":1}",
    "{\"pass\\u0077ord\":\"hunter2\"}",
    "{\"ip\":\"192.0.2.7, 198.51.100.9\"}",
    "{\"ip\":\"192.0.2.7\\n\"}",
    "{\"ip\":[\"192.0.2.7\",\"x\"],\"ip_address\":{\"a\":\"{{auto}}\"}}",
    "{\"a\":\"{{auto}}\",\"b\":\"\\u007b{auto}}\",\"c\":\" {{auto}}\",\"d\":\"%7B%7Bauto}}\"}",
    "{\"release\":\"{{auto}}\",\"environment\":\"jane@example.com\",\"dist\":\"jane@example.com and\"}",
    "{\"headers\":[[\"Cookie\",\"a=b\",\"a=b\"],[\"Accept\",\"*/*\"],[\"X-Api-Key\",{\"a\":[\"b\"]}]]}",
    "{\"headers\":[[\"Cookie\",[\"Authorization\",\"x\"]],[[\"Cookie\"],\"y\"],[1,\"Cookie\",\"z\"]]}",
    "{\"request\":{\"cookies\":[[\"sid\",\"1\"],[\"type\",\"2\"]],\"data\":\"{\\\"password\\\":\\\"hunter2\\\"}\"}}",
    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a fox\"}]}]}",
    "{\"prompt\":{\"role\":\"user\",\"rol\\u0065\":\"user\",\"r\u{f4}le\":\"user\",\"x\":[\"a\",{\"b\":\"c\"}]}}",
    "{\"prompt\":\"{\\\"role\\\":\\\"user\\\",\\\"x\\\":\\\"a fox\\\"}\"}",
    "{\"prompt\":\"{\\\"role\\\":\"}",
    "{\"prompt\":\"[Filtered]\",\"prompts\":[\"[prompt chars=1 words=1]\",\"\"]}",
    "{\"sdk\":{\"settings\":{\"infer_ip\":\"auto\"}},\"prompt\":{\"sdk\":{\"settings\":{\"infer_ip\":\"auto\"}}}}",
    "{\"a\":\"{\\\"user\\\":{\\\"ip_address\\\":\\\"192.0.2.7\\\"}}\"}",
    "{\"user\":{\"name\":\"{\\\"ip\\\":\\\"192.0.2.7\\\"}\"}}",
    "{\"a\":\"\\ud83e jane@example.com \\udd8a\\ud83e\\udd8a\"}",
    "{\"a\":\"tab\there jane@example.com\"}",
    "{\"a\":\"bad \\q jane@example.com \\u12\"}",
    "{\"a\":\"https:\\/\\/jane:pw@db\\/x\"}",
    "{\"a\":\"x\\\\u0040y jane\\\\u0040example.com\"}",
    "{\"gen_ai.prompt.0.content\":\"a fox\",\"gen_ai\":{\"prompt\":[{\"content\":\"b\"}],\"prompt.1.content\":\"c\"}}",
    // The cut string's rule takes what is left; without a quote the stand-in must not open an array.
    "{\"prompt\":\"a teal fo",
    "{\"prompt\": tru",
    "{\"prompt\" \"a",
    "{\"prompt\":\"a\" x",
    "{\"prompt\":\"a\", x",
    "{\"prompt\":\"[prompt chars=9 words=3]",
    "{\"user\":{\"ip_address\":\"192.0.2",
    "{\"a\":\"jane@exam\\u0070le.com\",\"b\":\"joe\\u0040example.com",
    "{\"a\":1} jane@example.com",
    "[1,2]]jane@example.com",
    "jane@example.com {\"a\":1}",
    // An address rule inside a prompt says nothing about other values: the prompt's rule still holds.
    "{\"prompt\":{\"ip\":\"a teal fox\"}}",
    "{\"prompt\":{\"ip\":{\"x\":\"a teal fox\"}}}",
    "{\"prompt\":{\"release\":\"a\",\"ip\":\"192.0.2.7\"},\"cookies\":{\"email\":4}}",
    "{\"prompt\":{\"ip\":\"a teal fo",
    // What turned out to be no document has numbered no keys.
    "[\"{\\\"jane@example.com\\\":1\",{\"jane@example.com\":1}]",
    // Spared keys are compared as paths compare keys.
    "{\"prompt\":{\"id\u{e9}\":\"fox\",\"rol\\u0065\":\"user\"}}",
    // A key that is put back as it was gets no second suffix.
    "{\"192.0.2.0#1\":1}",
    // A document that is read as text is read once: its escapes belong to its strings.
    "{\"ip\":\"192.0.2.7\",\"b\":\"a \\\"quoted\\\" c\"}",
    "[\"%7B%22jane@example.com%22:%22Cookie: a=%22%7D\"]",
    // What a field teaches: before and behind it, in keys, numbers, layers and other cases.
    "{\"user\":{\"username\":\"jroe_77\",\"name\":\"Jane Roe\"},\"message\":\"login of Jane Roe (jroe_77) failed, see /u/Jane%20Roe\"}",
    "{\"a\":\"JROE_77 jroe_778\",\"jroe_77\":{\"jroe_77\":1},\"username\":\"jroe_77\",\"b\":[\"\\n\\u006aroe_77\",\"%256aroe%5F77\"]}",
    "{\"phone\":2025550143,\"a\":2025550143,\"b\":\"2025550143 12025550143\",\"c\":-2025550143}",
    "{\"username\":\"[Filtered]\",\"name\":\"Filtered\",\"email\":\"email\",\"a\":\"[email] email\"}",
    "{\"a\":\"{\\\"username\\\":\\\"jroe_77\\\"}\",\"b\":\"{\\\"username\\\":\\\"wroe_78\\\",]\",\"c\":\"jroe_77 wroe_78\"}",
    "{\"user\":{\"email\":{\"value\":\"jroe at x\",\"kind\":\"homely\"}},\"a\":\"jroe at x homely\"}",
    "{\"a\":\"{'username': 'jroe_77', 'by': u'jroe\\\\x5f77'}\",\"b\":\"dG9sZCBqcm9lXzc3IHNv\",\"c\":\"&#106;roe_77 jroe&lowbar;77\"}",
    "{\"ip\":\"192.0.2.77\",\"a\":\"x192.0.2.77, v192.0.2.77.1 192-0-2-77\",\"b\":\"192.0.2.77\"}",
    "{\"username\":\"roe ann roe\",\"a\":\"Roe Ann Roe Ann Roe\",\"release\":\"roe_ann_roe\"}",
    "{\"username\":\"jroe_77\",\"prompt\":\"jroe_77\",\"a\":\"s:7:\\\"jroe_77\\\";\",\"b\":\"jroe_77@example.com\"}",
];

const BYTES: &[&[u8]] = &[
    // A comma behind a document that is a string.
    b"\"jane@example.com\", jane@example.org",
    b"\"\\\"prompt\\\":\\3\",",
    b"\xff\xfe",
    b"{\"rawHeaders\":[\"Accept\",\"Cookie\",\"Cookie\",\"x1y2",
    b"{\"rawHeaders\":[\"Cookie\" x1y2",
    b"[\"--db-password\" x1y2",
    b"[{\"stringValue\":\"--db-password\"},{\"stringValue\":\"x1y2",
    b"[{\"stringValue\":\"--db-password\"} x1y2",
    b"{\"a\":\"\xffjane@example.com\xff\"}",
    b"{\"a\":\"\xc3\xa9jane@example.com\xc3\"}",
    b"{\"a\":\"x\x80\x80@example.com\x80 192.0.2.7\x80\"}",
    b"\x80jane@example.com\x80",
    b"{\"\xff@example.com\":\"\x00\"}",
    b"a=\xffjane@example.com&\xff=1&%ff@example.com=%80",
    b"{\"a\":\"%ffjane%40example.com%80%80\"}",
];

const TEXTS: &[&str] = &[
    // A fingerprint, and what seems to be a zone behind it.
    "aa:bb:cc:dd:ee:ff:00:11:22%40",
    "\\u0061\\u0061:bb:cc:dd:ee:ff:00:11:22%40",
    "from 192.0.2.7 to 2001:db8::1, told jane@example.com",
    "prompt=\"a teal fox\", prompt='[prompt chars=10 words=3]'",
    "{\"prompt\":\"a \\\"teal\\\" fox\",\"x\":",
    "jane\\u0040example.com and joe%40example.com and jim\\u002540example.com",
    "Bearer%20abcdef.123456 Bearer [credential]",
    "Cookie: a=b; jane@example.com 192.0.2.7",
    "http://jane:hunter2@192.0.2.7/?token=abcdef&ip=192.0.2.8",
    "@@jane@example.com@example.org",
    "1.1.1.1.1.1.1.1 3.3.3.3.3.3",
    "2001:db8::1::2001:db8::2 ::ffff:192.0.2.7:8080",
    "[email][ip] [prompt chars=1 words=1]@example.com",
    "%7B%22ip%22%3A%22192.0.2.7%22%2C%22a%22%3A%22{{auto}}%22%7D",
];

const FORMS: &[&str] = &[
    "",
    "&&=&a&=b",
    "email=jane%40example.com&ip=192.0.2.7&ip=unknown&user_ip={{auto}}",
    "password=hunter2&token=&secret=%5BFiltered%5D&a=password%3Dhunter2",
    "jane%40example.com=jane+roe%40example.com&x=a+b",
    "prompt=a+teal+fox&prompt=%7B%22role%22%3A%22user%22%2C%22x%22%3A%22a+fox%22%7D",
    "data=%7B%22user%22%3A%7B%22ip_address%22%3A%22192.0.2.7%22%7D%7D",
    "sentry_key=0123456789abcdef0123456789abcdef&sentry_release=a@b.eu",
    "%7B%22a%22%3A%22jane%40example.com%22%7D=1",
    // A lone key may be a document that was sent as a form, and gets no suffix; one with a value does, as its
    // stand-in alone would be the name of a field.
    "{\"remote_addr\":\"192.0.2.7\"}",
    "jane%40example.com=1",
    "password{\"a\":\"b\"}=1",
    "gen_ai.prompt=a&user.email=b&messages.0.content=c",
    "a=by+Jane+Roe&username=Jane+Roe&Jane%20Roe=1&b=%256aane_roe&ip=192.0.2.77&c=v192.0.2.77",
];
