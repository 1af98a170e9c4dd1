use envc_core::{KindId, RepositoryDigest};
use envc_spec::Instance;

use super::*;

const UUID: &str = "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01";
const OTHER: &str = "0b0f1d2e-5c7a-4f0e-9d2b-3a1f6c8e7d10";
const HEX: &str = "9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9";

const SPEC: &str = r#"
project "shop" { zone "shop.example" }
secrets { env prefix="X_" }
environment "local" default { identity branch max-length=20 }
let api-url "https://api.{zone}"
let signed "k={let.key}"
let key (secret)"KEY"
d1 "web" { migrations "apps/web/drizzle" }
kv "event-cache"
r2 "images"
queue "jobs"
queue "dead"
worker "web" path="apps/web" main="src/index.ts" compatibility-date="2026-09-01" {
    port "3000-3999"
    bind "DB" d1="web"
    bind "EVENTS" kv="event-cache"
    bind "IMAGES" r2="images"
    bind "JOBS" queue="jobs"
    consume "jobs" batch-size=10 max-retries=3 dead-letter="dead"
    durable-object "ROOM" class="Room"
    migration tag="v1" { new-sqlite-classes "Room" }
    var "API" "{let.api-url}"
    var "QUOTE" "a\"b\\ é"
    secret "AUTH" "{let.key}"
}
dotenv ".env" { API "{let.api-url}" ; KEY (secret)"KEY" }
dotenv ".env.static" { COLOUR "blue" }
"#;

fn environment(text: &str) -> Environment {
    let (spec, found) = envc_spec::load(text);
    let spec = spec.unwrap_or_else(|| panic!("{:#?}", found.into_sorted()));
    let instance = Instance {
        id: "topic".into(),
        branch: Some("topic".into()),
        pr: None,
        sha: None,
        ports: BTreeMap::from([("web".to_owned(), 3001)]),
        local_cloud: false,
        repository: RepositoryDigest::of("github.com/acme/shop"),
    };
    spec.environment("local", &instance).unwrap()
}

fn render(env: &Environment, templates: &[(&str, &str)]) -> Result<Vec<GeneratedFile>, String> {
    render_into(env, templates, "")
}

/// For files that go to a folder from which the spec's is seen so.
fn render_into(
    env: &Environment,
    templates: &[(&str, &str)],
    spec_folder: &str,
) -> Result<Vec<GeneratedFile>, String> {
    let ids = BTreeMap::from([
        (Address::new(KindId::D1, "web"), UUID.to_owned()),
        (Address::new(KindId::Kv, "event-cache"), HEX.to_owned()),
    ]);
    let templates =
        templates.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    render_files(&FileInputs {
        env,
        ids: &ids,
        resolve: &|part| match part {
            Part::In(Input::Secret(name)) if name == "KEY" => Some("s3'cret".to_owned()),
            _ => None,
        },
        names: &BTreeMap::new(),
        templates: &templates,
        dev_remote: true,
        spec_folder,
    })
    .map_err(|errors| {
        let lines = errors.iter().map(|error| format!("{} {error} | {}\n", error.code, error.help));
        lines.collect()
    })
}

/// What becomes of a template, as the Worker's and as a file's.
fn templated(node: &str, source: &str) -> Result<GeneratedFile, String> {
    let text = match node {
        "worker" => SPEC.replace("port \"3000", "template \"t.jsonc\"\n    port \"3000"),
        other => format!("{SPEC}{other}"),
    };
    let path = if node == "worker" { "apps/web/wrangler.jsonc" } else { "out" };
    let files = render(&environment(&text), &[("t.jsonc", source)])?;
    Ok(files.into_iter().find(|file| file.path == path).unwrap())
}

const FILE: &str = "file \"out\" template=\"t.jsonc\" mode=\"0755\"\n";

const WHOLE: &str = r#"{
  "name": "shop--web--topic",
  "main": "src/index.ts",
  "compatibility_date": "2026-09-01",
  "vars": {
    "API": "https://api.shop.example",
    "ENVC": "envc:shop/topic/web@c566806a",
    "QUOTE": "a\"b\\ é"
  },
  "d1_databases": [
    {
      "binding": "DB",
      "database_name": "shop--web--topic",
      "database_id": "77aa55c0-1b2c-4d3e-8f4a-5b6c7d8e9f01",
      "migrations_dir": "drizzle",
      "remote": true
    }
  ],
  "kv_namespaces": [
    {
      "binding": "EVENTS",
      "id": "9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9",
      "remote": true
    }
  ],
  "r2_buckets": [
    {
      "binding": "IMAGES",
      "bucket_name": "shop--images--topic",
      "remote": true
    }
  ],
  "queues": {
    "producers": [
      {
        "binding": "JOBS",
        "queue": "shop--jobs--topic"
      }
    ],
    "consumers": [
      {
        "queue": "shop--jobs--topic",
        "max_batch_size": 10,
        "max_retries": 3,
        "dead_letter_queue": "shop--dead--topic"
      }
    ]
  },
  "durable_objects": {
    "bindings": [
      {
        "name": "ROOM",
        "class_name": "Room"
      }
    ]
  },
  "migrations": [
    {
      "tag": "v1",
      "new_sqlite_classes": [
        "Room"
      ]
    }
  ],
  "triggers": {
    "crons": []
  },
  "dev": {
    "port": 3001
  }
}
"#;

#[test]
fn a_configuration_is_written_whole() {
    let files = render(&environment(SPEC), &[]).unwrap();
    let seen: Vec<_> =
        files.iter().map(|f| (f.path.as_str(), f.mode, f.private, f.specific)).collect();
    assert_eq!(
        seen,
        [
            (".env", 0o600, true, true),
            (".env.static", 0o600, false, false),
            ("apps/web/.dev.vars", 0o600, true, true),
            ("apps/web/wrangler.jsonc", 0o644, false, true),
        ]
    );
    let wrangler = &files[3].content;
    assert_eq!(wrangler.split_once('\n').unwrap().1, WHOLE);
    assert!(jsonc::parse(wrangler).is_ok());
    assert!(files[0].content.ends_with("\nAPI=https://api.shop.example\nKEY=\"s3'cret\"\n"));
    assert!(!format!("{files:?}").contains("cret\""), "a debug print tells no secret");
}

#[test]
fn what_to_read_is_listed_once() {
    let env = environment(&format!("{SPEC}{FILE}"));
    assert_eq!(template_paths(&env), ["t.jsonc"]);
    assert_eq!(needed_parts(&env), [Part::In(Input::Secret("KEY".into()))]);
}

#[test]
fn a_template_gets_the_parts_ready() {
    let source = "{\n  // {{ d1.web.name }} {{ kv[\"event-cache\"].title }} {{ worker.port }}\n  \
                  \"name\": {{ worker.name | json }},\n  \"kv\": {{ worker.kv_namespaces | json }},\n  \
                  \"vars\": {\"ENVC\": {{ worker.vars.ENVC | json }}},\n  \
                  \"account_id\": \"11111111111111111111111111111111\",\n}\n";
    let file = templated("worker", source).unwrap();
    assert_eq!(
        file.content,
        "{\n  // shop--web--topic shop--event-cache--topic 3001\n  \"name\": \"shop--web--topic\",\n  \
         \"kv\": [{\"binding\":\"EVENTS\",\"id\":\"9c2e4a6b8d0f41a3b5c7d9e1f3a5b7c9\",\"remote\":true}],\n  \
         \"vars\": {\"ENVC\": \"envc:shop/topic/web@c566806a\"},\n  \
         \"account_id\": \"11111111111111111111111111111111\",\n  \
         \"triggers\": { \"crons\": [] },\n}\n"
    );
    assert!(file.specific && !file.private);
}

#[test]
fn what_a_template_gets_wrong_is_told() {
    let worker = |source: &str| templated("worker", source).unwrap_err();
    let foreign = worker(&format!("{{\n \"id\": \"{OTHER}\"\n}}"));
    assert!(
        foreign.starts_with(&format!(
            "envc::files::foreign_id t.jsonc: line 2 of the result holds `{OTHER}`"
        )),
        "{foreign}"
    );
    assert_eq!(
        worker("{\n \"a\": {{ let.key }}\n}"),
        "envc::files::secret_in_public_file t.jsonc: line 2: `let.key` is a secret, and this file is not private | leave it out: a worker gets it by secret \"NAME\" in the spec, a program by a `dotenv`\n"
    );
    assert_eq!(
        worker("{\n \"a\": {{ d1.wbe.id | json }}\n}"),
        "envc::files::template t.jsonc: line 2: `d1.wbe` is not defined | did you mean `d1.web`?\n"
    );
    for unmarked in
        ["{\n \"name\": \"x\"\n}", "{ \"vars\": { \"ENVC\": \"envc:shop/topic/other\" } }"]
    {
        let told = worker(unmarked);
        assert!(told.contains("template_unmarked") && told.contains("marker #false"), "{told}");
    }
    let text =
        format!("{SPEC}worker \"plain\" path=\"p\" {{ template \"t.jsonc\" ; marker #false }}");
    assert!(render(&environment(&text), &[("t.jsonc", "{}")]).is_ok(), "left out on purpose");
    let not_json = worker("{\n \"a\": {{ worker.name }}\n}");
    assert!(
        not_json
            .contains("not_json t.jsonc: it makes no JSON: line 2 of the result: unexpected word"),
        "{not_json}"
    );
    let text = format!("{SPEC}{FILE}");
    let missing = render(&environment(&text), &[]).unwrap_err();
    assert!(missing.starts_with("envc::files::template_missing t.jsonc: "), "{missing}");
}

#[test]
fn a_file_that_reads_a_secret_is_private() {
    let file = templated(FILE, "k={{ let.signed }} {{ tunnel | json }}\n").unwrap();
    assert_eq!((file.content.as_str(), file.mode, file.private), ("k=k=s3'cret {}\n", 0o700, true));
    let file = templated(FILE, "echo {{ let[\"api-url\"] }}\n").unwrap();
    assert_eq!((file.mode, file.private, file.specific), (0o755, false, false));
    assert!(templated(FILE, "PORT={{ port.web }}\n").unwrap().specific);
    assert!(!templated(FILE, "PORT=13001\n").unwrap().specific);
}

#[test]
fn all_errors_come_in_one_run_and_tell_no_value() {
    let text = SPEC.replace("KEY (secret)\"KEY\"", "KEY \"{let.key}$\" ; A (secret)\"A\"");
    let mut env = environment(&text);
    env.workers[0]
        .vars
        .insert("LEAK".into(), Text { parts: vec![Part::In(Input::Secret("KEY".into()))] });
    let errors = render(&env, &[]).unwrap_err();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(
        lines.iter().map(|line| line.split_once(": ").unwrap().0).collect::<Vec<_>>(),
        [
            "envc::files::unresolved .env",
            "envc::files::unquotable .env",
            "envc::files::secret_in_public_file apps/web/wrangler.jsonc",
        ],
        "{errors}"
    );
    assert!(!errors.contains("cret$"));
    env.resources.clear();
    assert!(render(&env, &[]).unwrap_err().contains("the name of queue.jobs is not known"));
}

#[test]
fn what_exists_by_its_id_has_the_name_it_was_seen_with() {
    let mut env = environment(SPEC);
    let web = Address::new(KindId::D1, "web");
    env.resources.get_mut(&web).unwrap().mode = envc_core::Mode::ExistingId(OTHER.into());
    let (ids, seen) = (BTreeMap::new(), BTreeMap::from([(web.clone(), "real".to_owned())]));
    let known = |names| Known { env: &env, ids: &ids, names, resolve: &|_| None, spec_folder: "" };
    assert_eq!(known(&seen).name(&web).as_deref(), Some("real"));
    assert_eq!(known(&seen).id(&web).as_deref(), Some(OTHER));
    // The name that envc would have given is not its name.
    assert_eq!(known(&ids).name(&web), None);
}

#[test]
fn a_local_connection_goes_into_a_private_file_of_each_bound_worker_and_is_not_remote() {
    let spec = r#"
project "shop"
environment "local" default { identity branch max-length=20 }
let key (secret)"KEY"
hyperdrive "pg" local="postgres://dev:a$b{let.key}@h/d" { origin (secret)"URL" }
hyperdrive "far" { origin (secret)"URL" }
worker "web" path="apps/web" main="a.ts" compatibility-date="2026-09-01" {
    bind "PG" hyperdrive="pg"
    bind "AGAIN" hyperdrive="pg"
    bind "FAR" hyperdrive="far"
    template "t.jsonc"
}
worker "api" path="." main="a.ts" compatibility-date="2026-09-01" { bind "FAR" hyperdrive="far" }
"#;
    let env = environment(spec);
    let id = |name: &str| (Address::new(KindId::Hyperdrive, name), format!("id-{name}"));
    let templates = BTreeMap::from([(
        "t.jsonc".to_owned(),
        "{\"hyperdrive\": {{ worker.hyperdrive | json }}, \"vars\": {{ worker.vars | json }}}"
            .to_owned(),
    )]);
    let files = render_files(&FileInputs {
        env: &env,
        ids: &BTreeMap::from([id("pg"), id("far")]),
        resolve: &|_| Some("wombat".to_owned()),
        names: &BTreeMap::new(),
        templates: &templates,
        dev_remote: true,
        spec_folder: "",
    });
    let files = files.unwrap();
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["apps/web/.env.local", "apps/web/wrangler.jsonc", "wrangler.jsonc"]);
    let local = &files[0];
    assert_eq!((local.mode, local.private, local.specific), (0o600, true, true));
    for line in ["PG", "AGAIN"].map(|name| {
        format!(
            "CLOUDFLARE_HYPERDRIVE_LOCAL_CONNECTION_STRING_{name}=postgres://dev:a%24bwombat@h/d\n"
        )
    }) {
        assert!(local.content.contains(&line), "{}", local.content);
    }
    assert!(!local.content.contains("FAR") && !format!("{local:?}").contains("wombat"));
    let json: serde_json::Value = serde_json::from_str(&files[1].content).unwrap();
    assert_eq!(
        json["hyperdrive"],
        serde_json::json!([
            { "binding": "PG", "id": "id-pg" },
            { "binding": "AGAIN", "id": "id-pg" },
            { "binding": "FAR", "id": "id-far", "remote": true },
        ])
    );
}

#[test]
fn paths_are_right_from_where_the_files_lie() {
    for (way, main, migrations) in [
        ("", "src/index.ts", "drizzle"),
        ("..", "../../../apps/web/src/index.ts", "../../../apps/web/drizzle"),
        ("../shop", "../../../shop/apps/web/src/index.ts", "../../../shop/apps/web/drizzle"),
        ("D:/shop", "D:/shop/apps/web/src/index.ts", "D:/shop/apps/web/drizzle"),
    ] {
        let files = render_into(&environment(SPEC), &[], way).unwrap();
        let file = files.iter().find(|file| file.path == "apps/web/wrangler.jsonc").unwrap();
        let json = jsonc::parse(&file.content).unwrap();
        assert_eq!(json["main"], main, "{way}");
        assert_eq!(json["d1_databases"][0]["migrations_dir"], migrations, "{way}");
    }
    // Of a template, too, whether it writes them itself or not.
    let spec = SPEC.replace("port \"3000", "template \"t.jsonc\"\n    port \"3000");
    let text = "{\"main\": \"{{ worker.main }}\", \"vars\": {{ worker.vars | json }}, // ./dist\n\
                \"assets\": {\"directory\": \"./dist\"}, \"$schema\": \"../../node_modules/s.json\",\n\
                \"d1_databases\": {{ worker.d1_databases | json }}}";
    let render = |way| {
        let files = render_into(&environment(&spec), &[("t.jsonc", text)], way).unwrap();
        files.into_iter().find(|file| file.path == "apps/web/wrangler.jsonc").unwrap().content
    };
    let content = render("..");
    let json = jsonc::parse(&content).unwrap();
    assert_eq!(json["main"], "../../../apps/web/src/index.ts");
    assert_eq!(json["assets"]["directory"], "../../../apps/web/dist");
    assert_eq!(json["$schema"], "../../../node_modules/s.json");
    assert_eq!(json["d1_databases"][0]["migrations_dir"], "../../../apps/web/drizzle");
    assert!(content.contains("// ./dist\n"), "{content}");
    let here = jsonc::parse(&render("")).unwrap();
    assert_eq!(
        (&here["main"], &here["assets"]["directory"]),
        (&"src/index.ts".into(), &"./dist".into())
    );
}

#[test]
fn a_schedule_that_left_the_spec_is_written_as_none() {
    let with = |source: &str, spec: &str| {
        let text = spec.replace("port \"3000", "template \"t.jsonc\"\n    port \"3000");
        let files = render(&environment(&text), &[("t.jsonc", source)]).unwrap();
        let file = files.into_iter().find(|file| file.path == "apps/web/wrangler.jsonc");
        jsonc::parse(&file.unwrap().content).unwrap()["triggers"]["crons"].clone()
    };
    let marked = |more: &str| format!("{{ \"vars\": {{{{ worker.vars | json }}}}{more} }}");
    assert_eq!(with(&marked(""), SPEC), serde_json::json!([]));
    // The template's own counts, and what it leaves out of the spec's is its own mistake.
    let own = ", \"triggers\": { \"crons\": [\"0 1 * * *\"] }";
    assert_eq!(with(&marked(own), SPEC), serde_json::json!(["0 1 * * *"]));
    let spec = SPEC.replace("    var \"API\"", "    cron \"0 2 * * *\"\n    var \"API\"");
    assert_eq!(with(&marked(""), &spec), Json::Null);
    let all = ", \"triggers\": {{ worker.triggers | json }}";
    assert_eq!(with(&marked(all), &spec), serde_json::json!(["0 2 * * *"]));
}

#[test]
fn what_is_run_and_what_wrangler_reads_has_plain_line_ends() {
    let crlf =
        "\u{feff}#!/bin/sh\r\n{% if true %}\r\necho {{ port.web }}\r\r\n{% endif %}\r\nexit 0\r";
    let file = templated(FILE, crlf).unwrap();
    assert_eq!(file.content, "#!/bin/sh\necho 3001\nexit 0");
    // What nobody runs stays as it is, and a value is nobody's line end.
    let text = FILE.replace("0755", "0644");
    assert_eq!(templated(&text, "a\r\nb").unwrap().content, "a\r\nb");
    let inside = templated(FILE, "printf 'a{{ \"\\r\\n\" }}b'\r\n").unwrap();
    assert_eq!(inside.content, "printf 'a\r\nb'\n");
    let file = templated("worker", "{\r\n \"vars\": {{ worker.vars | json }}\r\n}\r\n").unwrap();
    assert!(!file.content.contains('\r'), "{}", file.content);
    // A mistake is told where it stands in the file.
    let wrong = templated(FILE, "a\r\nb\r\n{{ nothing }}\r\n").unwrap_err();
    assert!(wrong.contains("line 3: `nothing` is not defined"), "{wrong}");
}

#[test]
fn a_dotenv_file_is_quoted_for_whoever_reads_it() {
    let with = |node: &str| {
        let spec = format!("{SPEC}{node} {{ P \"a$b\" ; Q \"it's $5\" }}\n");
        let files = render(&environment(&spec), &[])?;
        Ok::<_, String>(files.into_iter().find(|file| file.path == "x/.env").unwrap())
    };
    let told = with("dotenv \"x/.env\"").unwrap_err();
    assert!(
        told.contains("`Q` cannot be written") && told.contains("for=\"node\", for=\"dotenv\""),
        "{told}"
    );
    let vite = with("dotenv \"x/.env\" for=\"vite\"").unwrap();
    assert!(vite.content.ends_with("\nP='a\\$b'\nQ=`it's \\$5`\n"), "{}", vite.content);
    assert!(vite.expanded.is_empty());
    let node = with("dotenv \"x/.env\" for=\"node\"").unwrap();
    assert!(node.content.ends_with("\nP='a$b'\nQ=`it's $5`\n"), "{}", node.content);
    let spec = format!("{SPEC}dotenv \"x/.env\" {{ P \"a$b\" ; Q \"5 $\" }}\n");
    let files = render(&environment(&spec), &[]).unwrap();
    let file = files.iter().find(|file| file.path == "x/.env").unwrap();
    assert_eq!(file.expanded, ["P"]);
    // wrangler alone reads `.dev.vars`, and expands nothing there.
    let spec = SPEC.replace("\"AUTH\" \"{let.key}\"", "\"AUTH\" \"{let.key}\\\"$x\"");
    let files = render(&environment(&spec), &[]).unwrap();
    let file = files.iter().find(|file| file.path == "apps/web/.dev.vars").unwrap();
    assert!(file.content.ends_with("\nAUTH=`s3'cret\"$x`\n"), "{}", file.content);
    assert!(file.expanded.is_empty());
}
