use super::*;
use proptest::prelude::*;

/// All that is in a text, each value asked for: `key{`, `}`, `key=value`. Lists are `key[`.
fn read(text: &str, reach: Reach) -> String {
    let mut reader = Reader::new(text.as_bytes());
    let mut all = Vec::new();
    let key_of = |key: Option<Range<usize>>| key.map_or("", |key| &text[key]).to_owned();
    while let Some(event) = reader.event() {
        all.push(match event {
            Event::Open { key, is_list } => {
                let told = key_of(key) + if is_list { "[" } else { "{" };
                if told.starts_with("all") {
                    reader.tell_bare_elements();
                }
                told
            }
            Event::Close => "}".to_owned(),
            Event::Value { key, value } => {
                let value = match value {
                    Value::Quoted(range) | Value::Raw(range) => &text[range],
                    Value::Bare(from, joint) => &text[reader.bare(from, joint, reach)],
                };
                format!("{}={value}", key_of(key))
            }
        });
    }
    all.join(" ")
}

#[test]
fn a_bar_belongs_to_a_value_that_may_hold_one() {
    for (text, want) in [
        ("key=12|ab", "key=12|ab"),
        ("key=12|ab|c, n=4", "key=12|ab|c n=4"),
        ("key=12|n=4|ab", "key=12 n=4|ab"),
        ("key=12| ab", "key=12"),
        ("key=12||ab", "key=12"),
        ("key=12|", "key=12"),
    ] {
        assert_eq!(read(text, Reach::Barred), want, "{text}");
    }
}

#[test]
fn printed_structures_are_read() {
    let mut differ = Vec::new();
    for (text, want) in [
        // Logs and shells.
        ("login for username=jroe failed.", "username=jroe"),
        ("username=jroe, email=x@y.z; n=3", "username=jroe email=x@y.z n=3"),
        ("a = b", "a=b"),
        ("prompt = \"a teal fox\" n=1", "prompt=a teal fox n=1"),
        ("prompt=\"it's \\\"so\\\"\" n", "prompt=it's \\\"so\\\""),
        ("prompt='cut off", "prompt=cut off"),
        ("note='it's a fox' n=1", "note=it's a fox n=1"),
        ("--username=jroe", "--username=jroe"),
        ("a == b, c != d, e =~ f, g::h, https://x", ""),
        // URLs and cookies.
        ("https://x.org/p?email=j%40x.org&n=a,b#frag=1 .", "email=j%40x.org n=a,b frag=1"),
        ("user[email]=j&user[name]=k", "user[email]=j user[name]=k"),
        // A stand-in behind something else is no name: what was redacted once is read as it was before.
        ("caf\u{e9}[email]=j, {'to [email]': 'k'}, \"[email]\": \"l\"", "=j { =k } =l"),
        ("{'user[email]': 'k'}", "{ user[email]=k }"),
        ("Cookie: sid=0a1b; theme=dark", "Cookie=sid=0a1b theme=dark"),
        // Python.
        ("{'email': 'x', \"n\": u'y', 'k': None}", "{ email=x n=y k=None }"),
        ("[{'role': 'user', 'content': [{'type': 'text'}]}]", "[ { role=user content[ { type=text } } } }"),
        ("User(email='x', tags=['a', 'b'])", "{ email=x tags[ =a =b } }"),
        ("got user=User(email='x') here", "user{ email=x }"),
        ("{'a': b'x', 'b': f\"y\"}", "{ a=x b=y }"),
        ("{b'email': b'x', u'n': u'y', rb\"k\": 4} sub'n': 1", "{ email=x n=y k=4 }"),
        // JavaScript.
        ("{ email: 'x', n: 4, list: [ \"a\" ], [Symbol(y)]: `t` }", "{ email=x n=4 list[ =a } [ { } } }"),
        ("User { email: 'x', at: Address { city: 'y' } }", "{ email=x at{ city=y } }"),
        // Ruby.
        ("{:email=>\"x\", \"n\"=>\"y\", age: 4, z: \"w\"}", "{ email=x n=y age=4 z=w }"),
        ("{\"email\" => \"x\"}", "{ email=x }"),
        // Go.
        ("{Email:x Name:y Tags:[a b]}", "{ Email=x Name=y Tags[ } }"),
        ("&{Email:x In:{City:y}} map[email:z]", "{ Email=x In{ City=y } } [ email=z }"),
        ("email: []byte(\"x\") n=1", "email=x n=1"),
        // Erlang.
        ("#{n => 7,email => <<\"x\">>}", "{ n=7 email=x }"),
        (r#"#{n => 7,email => <<\"x\">>}"#, "{ n=7 email=x }"),
        // PHP.
        (
            "Array\n(\n    [email] => Jane Roe\n    [in] => Array\n        (\n            [city] => y\n        )\n\n)\n",
            "{ email=Jane Roe in{ city=y } }",
        ),
        (
            "array(2) {\n  [\"email\"]=>\n  string(16) \"jane@example.com\"\n  [\"in\"]=>\n  array(1) {\n    [0]=>\n    string(1) \"y\"\n  }\n}",
            "{ } { email=jane@example.com in{ 0=y } }",
        ),
        ("a:2:{s:5:\"email\";s:1:\"x\";s:2:\"in\";a:1:{i:0;s:1:\"y\";}}", "{ email=x in{ =y } }"),
        ("O:4:\"User\":2:{s:8:\"\0*\0email\";s:3:\"a\"b\";s:1:\"n\";N;}", "{ \0*\0email=a\"b }"),
        ("s:5:\"email\";s:16:\"jane@example.com\";", "email=jane@example.com"),
        ("email|s:1:\"x\";n|i:4;user|s:3:\"y;z\";", "email=x user=y;z"),
        // Elements without keys, where they are asked for.
        ("{all: [a, 'b', c]} all=[d e]", "{ all[ =a =b =c } } all[ =d }"),
        // Every quote escaped, and nothing around.
        (r#"cfg: {\"email\": \"x\", \"n\": 4, \"k\": \"y\"}"#, "cfg{ email=x n=4 k=y }"),
        // Every quote doubled, as CSV and SQL do it.
        (r#""{""id"": 7, ""email"": ""x"", ""k"":""y z""}""#, "{ id=7 email=x k=y z }"),
        ("'{''id'': 7, ''email'': ''x'', ''in'': {''city'': ''y''}}'", "{ id=7 email=x in{ city=y } }"),
        // SQL.
        ("INSERT INTO t (id, email) VALUES (1, 'x') n=1", "id=1 email=x n=1"),
        ("(SQL: insert into t (email) values ('x''y'))", "{ SQL=insert email=x''y }"),
        // Markdown.
        ("**email**: `x`", "email=x"),
        ("* **email:** x", "email=x"),
        ("- *email* = \"x\"", "email=x"),
        ("| email | x@y |\n| n | 4 |", "email=x@y n=4"),
        ("| email        | x@y        |\n", "email=x@y"),
        ("| email | Name |\n|---|---|", ""),
        // Aligned.
        ("  + email            = \"x\"\n  n                  = 4", "email=x n=4"),
        ("2 ** n: 4 a ** b", ""),
        // Headers in quotes.
        ("curl -H 'X-Email: x' -H \"X-N:y z\" n", "X-Email=x X-N=y z"),
        ("say 'email: x'", ""),
        // Format-List, and what a server answers.
        ("Email : x\nLongName : y\nl'email : z", "Email=x LongName=y"),
        ("< email: x\n<Email: x>", "email=x"),
        // EDN.
        ("{:email \"x\", :db/name \"y\" :n 4}", "{ email=x name=y }"),
        ("a ? b :email \"x\"", "email=x"),
        ("a::email \"x\" :email x", ""),
        // Lua and JavaScript.
        ("{ [\"email\"] = \"x\", ['n'] = 4 }", "{ email=x n=4 }"),
        ("window.user[\"email\"] = \"x\"; a[\"b\"] == 1", "email=x [ =b }"),
        // XML and HTML.
        ("<row><email>x</email><n>3</n></row>", "email=x n=3"),
        ("<m:Email a=\"b\"> x y </m:Email>", "Email=x y"),
        ("<add key=\"email\" value=\"x\" /> n=1", "email=x n=1"),
        ("<input value='x' type=text name='email'>", "email=x"),
        ("<key>email</key>\n<string>x</string>", "email=x"),
        ("<entry key=\"email\">x</entry><setting name=\"n\"><value>4</value></setting>", "email=x n=4"),
        ("<br/>a < b, c > d <a href=\"x\"> <b></b>", "href=x"),
        ("form-data; name=\"email\"\r\n\r\nx y\r\n--z", "email=x y"),
        ("form-data; name=\"email\"; filename=\"a\"\r\n\r\nx", "name=email filename=a"),
        ("key: {{ .Values.key }}", "{ { } }"),
        ("secret = os.environ[\"X\"]", "secret=os.environ [ =X }"),
        ("<a><email><![CDATA[ x<y ]]></email><n>3</n></a>", "email= x<y  n=3"),
        ("<email><![CDATA[]]></email><n><![CDATA[cut", "[ [ } } [ ["),
        // YAML.
        ("n: 7\nemail: |\n  x\n\n  y\nk: z", "n=7 email=x\n\n  y k=z"),
        ("- email: >-\n    x\n  k: z", "email=x k=z"),
        ("email: |\nk: z", "email= k=z"),
        ("email: | x", "email="),
        // What is redacted is passed over.
        ("prompt=[prompt chars=2 words=1] n=1", "n=1"),
        ("[email] [x=1]", "[ x=1 }"),
    ] {
        let got = read(text, Reach::Word);
        if got != want {
            differ.push(format!("{text:?}\n  got {got:?}\n want {want:?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn a_colon_in_prose_joins_nothing_that_is_not_quoted() {
    for (text, want) in [
        ("failed with error: no such thing", ""),
        ("the prompt: 'a fox' was refused", "prompt=a fox"),
        ("email: jane\nname: roe", "email=jane name=roe"),
        ("  - email: jane", "email=jane"),
        ("at 12:34:56, std::io", ""),
        ("(email: jane)", "{ email=jane }"),
    ] {
        assert_eq!(read(text, Reach::Word), want, "{text}");
    }
}

#[test]
fn words_go_on_to_the_next_key() {
    for (text, want) in [
        ("prompt=a teal fox model=x", "prompt=a teal fox model=x"),
        ("prompt=a teal fox, model: x", "prompt=a teal fox, model: x"),
        ("prompt=a fox: teal\nn=1", "prompt=a fox: teal n=1"),
        ("{Prompt:a (teal) fox Model:x}", "{ Prompt=a (teal) fox Model=x }"),
        ("{ prompt: a fox, n: 1 }", "{ prompt=a fox, n: 1 }"),
        ("{all: [a teal fox, b]}", "{ all[ =a teal fox =b } }"),
        ("?prompt=a+fox&n=1 and so on", "prompt=a+fox n=1"),
    ] {
        assert_eq!(read(text, Reach::Words), want, "{text}");
    }
}

#[test]
fn deep_brackets_are_told_up_to_the_bound() {
    for depth in [NESTING_MAX - 1, NESTING_MAX, NESTING_MAX + 1, 4 * NESTING_MAX] {
        let text = format!("{}a='b'{} c='d'", "(".repeat(depth), ")".repeat(depth));
        let told = read(&text, Reach::Word);
        assert_eq!(told.matches('{').count(), depth.min(NESTING_MAX));
        assert_eq!(told.matches('}').count(), depth.min(NESTING_MAX));
        assert!(told.contains("a=b") && told.ends_with("c=d"), "{told}");
    }
}

#[test]
fn lengths_of_php_are_found() {
    let text = b"s:5:\"email\";s:14:\"s:6:\"a\"b;cd\";x\";s:9:\"cut\";xs:1:\"a\"";
    let found = php_strings(text);
    let want: [(&[u8], &[u8]); 3] = [(b"5", b"email"), (b"14", b"s:6:\"a\"b;cd\";x"), (b"6", b"a\"b;cd")];
    let got: Vec<_> = found.iter().map(|s| (&text[s.number.clone()], &text[s.content.clone()])).collect();
    assert_eq!(got, want);
}

#[test]
fn a_quick_test_passes_over_texts_without_a_named_key() {
    let named = |key: &[u8]| key.ends_with(b"email") || key.ends_with(b"email]");
    for (text, want) in [
        ("nothing at all", false),
        ("a=b&c=d", false),
        ("email and so on", false),
        ("email=x", true),
        ("'email': x", true),
        ("\"email\" => x", true),
        ("[email] => x", true),
        ("s:5:\"email\";s:1:\"x\";", true),
        ("email|s:1:\"x\";", true),
        (":email=>\"x\"", true),
        ("**email**: x", true),
        ("| email | x1 |", true),
        ("| email          | x1 |", true),
        ("email            = x", true),
        ("{:email \"x\"}", true),
        ("{:email x}", false),
        ("email : x", true),
        (r#"{\"email\": \"x\"}"#, true),
        ("{Email:x}", false),
    ] {
        assert_eq!(may_hold(text.as_bytes(), named), want, "{text}");
    }
}

#[test]
fn hostile_texts_take_linear_time() {
    let size = 1 << 17;
    let start = std::time::Instant::now();
    for unit in [
        "'",
        "\"",
        "\\'",
        "('",
        "['\\",
        "a='b",
        "a=",
        "a:",
        "{",
        "[",
        "(((]",
        "[a",
        "s:9:\"",
        "s:99999999:\"x",
        "a: 'x",
        "[\"a",
        "a=[b",
        "a=( ",
        " =",
        "\n\n\n:",
        "user[",
        "a[b]",
        "string(",
        "array(1",
        "=>=>",
        "a:\\\"",
        "a:\\\"b:\\'",
        "| a | ",
        "| a | 1 |\n",
        "**a**",
        "into t (a) values ('",
        "INTO t (a,b) VALUES (1,",
        "into t (",
        ":a \"",
        ":a/",
        "'X-A: ",
        "a : ",
        "`a`:",
        "email=x y ",
        "}",
    ] {
        for reach in [Reach::Word, Reach::Words] {
            let text = unit.repeat(size / unit.len());
            assert!(read(&text, reach).len() <= 8 * text.len());
            let _ = may_hold(text.as_bytes(), |_| false) || may_hold_row(text.as_bytes(), |_| false);
            let _ = php_strings(text.as_bytes()).len();
        }
    }
    // Seconds even without optimisation; hours if it were quadratic.
    assert!(start.elapsed().as_secs() < 120, "{:?}", start.elapsed());
}

proptest! {
    /// Whatever the text: ranges lie inside, values come in order, containers close no more than they open.
    #[test]
    fn events_are_in_order(text in "([a-zA-Z{}\\[\\]()'\"`=:;,|&?\\\\ \n]|s:[0-9]:\"|a:1:\\{|email=){0,60}") {
        let mut reader = Reader::new(text.as_bytes());
        let (mut open, mut end) = (0_usize, 0);
        while let Some(event) = reader.event() {
            match event {
                Event::Open { .. } => open += 1,
                Event::Close => open = open.checked_sub(1).expect("opened before"),
                Event::Value { value, .. } => {
                    let range = match value {
                        Value::Quoted(range) | Value::Raw(range) => range,
                        Value::Bare(from, joint) => reader.bare(from, joint, Reach::Words),
                    };
                    prop_assert!(end <= range.start && range.start <= range.end && range.end <= text.len());
                    end = range.end;
                }
            }
        }
    }

    /// What Python prints of a dictionary is read back.
    #[test]
    fn quoted_values_are_read_whole(key in "[a-z_]{1,12}", value in "[a-z \"=:{}\\[\\](),;]{0,20}") {
        let text = format!("{{'{key}': '{value}', 'z': 1}}");
        let mut reader = Reader::new(text.as_bytes());
        prop_assert!(matches!(reader.event(), Some(Event::Open { .. })), "a container");
        let Some(Event::Value { key: Some(k), value: Value::Quoted(v) }) = reader.event() else {
            return Err(TestCaseError::fail("no value"));
        };
        prop_assert_eq!((&text[k], &text[v]), (key.as_str(), value.as_str()));
    }
}
