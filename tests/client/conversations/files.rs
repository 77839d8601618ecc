//! Contacts out of files and into them, by the terminal program against the real server.

use std::fs;
use std::process::{Command, Output};

use harness::{Client, Homeserver, Scratch, both_databases, program};
use serde_json::{Value, json};

use super::resolution::number;
use super::support::{rare, word};
use crate::client::support::{is_reference, list, text};

both_databases!(
    a_file_is_taken_once_however_often_it_is_imported,
    a_broken_import_goes_on_where_it_stopped,
    what_stands_in_the_way_comes_back_with_reasons_and_is_taken_when_corrected,
    a_dry_run_writes_nothing_and_says_what_would_be,
    cards_are_taken_like_rows,
    an_export_that_is_imported_again_changes_nothing,
    consents_come_and_go_with_files_and_the_most_restrictive_word_wins,
    an_export_holds_only_what_one_may_see,
);

const CONTACTS: &str = "/_kontor/contacts/v1/contacts";

/// A folder with the terminal program beside it.
struct Terminal {
    server: String,
    token: String,
    folder: Scratch,
}

impl Terminal {
    fn of(server: &Homeserver, who: &Client) -> Self {
        Self {
            server: server.base_url().to_owned(),
            token: who.token().to_owned(),
            folder: Scratch::new("files"),
        }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.file(name), bytes).expect("written");
        self.file(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(program("kontorctl"))
            .args(["--url", &self.server, "--lang", "en", "contacts"])
            .args(arguments)
            .env("KONTORCTL_TOKEN", &self.token)
            .output()
            .expect("it runs")
    }

    /// Imports; gives what was said of it.
    #[track_caller]
    fn import(&self, file: &str, more: &[&str]) -> String {
        let run = self.run(&[&["import", file], more].concat());
        let said = String::from_utf8_lossy(&run.stdout).into_owned();
        let code = run.status.code();
        assert!(matches!(code, Some(0 | 6)), "{code:?} {}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(code == Some(6), !said.contains("rejected: 0") && !said.contains("Nothing was"), "{said}");
        said
    }

    #[track_caller]
    fn exported(&self, form: &str) -> String {
        let file = self.file(&format!("export.{form}"));
        let run = self.run(&["export", "--format", form, "--to", &file]);
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        fs::read_to_string(file).expect("written")
    }
}

async fn found(by: &Client, typed: &str) -> Vec<serde_json::Value> {
    let path = format!("/_kontor/contacts/v1/lookup?q={}", harness::enc(typed));
    list(&by.get(&path).await.ok()["candidates"])
}

/// A surname that nobody else has.
fn surname() -> String {
    format!("Q{}", rare())
}

async fn a_file_is_taken_once_however_often_it_is_imported(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (one, two, three, name) = (number(), number(), number(), surname());
    // As Excel writes it in Poland: semicolons, the signs of Central Europe, two numbers in one cell.
    let text = format!(
        "Imi\u{119} i nazwisko;Telefon;E-mail;Uwagi\r\n\u{17b}aneta {name};+{one} / +{two};{name}@example.com;x\r\n\
         Piotr {name};+{three} ; ;\r\nAdam {name}y;12;nonsense@;\r\n"
    );
    let (bytes, _, _) = encoding_rs::WINDOWS_1250.encode(&text);
    let file = terminal.write("klienci.csv", &bytes);
    let said = terminal.import(&file, &[]);
    assert!(said.contains("New: 3,") && said.contains("rejected: 0"), "{said}");
    let seen = found(&admin, &format!("+{two}")).await;
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0]["fields"]["display_name"]["value"], format!("\u{17b}aneta {name}"));
    assert_eq!(seen[0]["phones"].as_array().map(Vec::len), Some(2), "each number of a cell: {seen:?}");
    // Some surnames sound alike with and without the letter.
    let sought = found(&admin, &format!("{name}y")).await;
    let called = |one: &&Value| one["fields"]["display_name"]["value"] == format!("Adam {name}y");
    let adam = sought.iter().find(called).expect("he is found");
    assert_eq!(adam["phones"], json!([]), "a number that does not exist is no key");
    // The same file, the same under another name, and the same said anew.
    let again = terminal.import(&file, &[]);
    assert!(again.contains("New: 0,") && again.contains("taken before: 3"), "{again}");
    let other = terminal.import(&file, &["--import-id", &word()]);
    assert!(other.contains("New: 0,") && other.contains("rejected: 3"), "{other}");
    let attached = terminal.import(&file, &["--import-id", &word(), "--attach"]);
    assert!(attached.contains("New: 0,") && attached.contains("unchanged: 2"), "{attached}");
    assert_eq!(found(&admin, &name).await.len(), 3, "no duplicates");
}

async fn a_broken_import_goes_on_where_it_stopped(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (name, import) = (surname(), word());
    let mut text = String::from("external_id,name,phone\n");
    let numbers: Vec<String> = (0..5).map(|_| number()).collect();
    for (index, number) in numbers.iter().enumerate() {
        text.push_str(&format!("{import}-{index},Jan {name}{index},+{number}\n"));
    }
    // The first two rows came through; then the line was cut.
    let rows: Vec<_> = (0..2)
        .map(|index| {
            json!({
                "row": index + 2, "external_id": format!("{import}-{index}"), "display_name": format!("Jan {name}{index}"),
                "phones": [format!("+{}", numbers[index])],
            })
        })
        .collect();
    let sent = json!({ "import_id": import, "rows": rows });
    let told = admin.post("/_kontor/contacts/v1/imports", &sent).await.ok();
    assert_eq!(told["rows"][1]["outcome"], "new", "{told}");
    let file = terminal.write("all.csv", &text);
    let said = terminal.import(&file, &["--import-id", &import]);
    assert!(said.contains("New: 3,") && said.contains("taken before: 2"), "{said}");
    // Known by their ids, they get what is new of them whatever the file is called; nothing is overwritten.
    let extra = number();
    let more =
        terminal.write("more.csv", format!("external_id,name,phone\n{import}-0,Jan {name}0,+{extra}\n"));
    let said = terminal.import(&more, &[]);
    assert!(said.contains("updated: 1") && said.contains("New: 0,"), "{said}");
    let seen = found(&admin, &format!("+{extra}")).await;
    assert_eq!(seen[0]["phones"].as_array().map(Vec::len), Some(2), "{seen:?}");
}

async fn what_stands_in_the_way_comes_back_with_reasons_and_is_taken_when_corrected(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (taken, name) = (number(), surname());
    let wish = json!({ "display_name": format!("Anna {name}"), "phones": [format!("+{taken}")] });
    let anna = text(&admin.post(CONTACTS, &wish).await.json["contact_id"]);
    let file = terminal.write(
        "in.csv",
        format!("name;phone;override_reason;contact_id\nBogdan {name};+{taken};;\nAnna {name};;;\n;12;;\n"),
    );
    let rejected = terminal.file("rejected.csv");
    let said = terminal.import(&file, &["--rejected", &rejected]);
    assert!(said.contains("New: 0,") && said.contains("rejected: 3"), "{said}");
    let back = fs::read_to_string(&rejected).expect("written");
    let lines: Vec<&str> = back.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!(lines[0], "name;phone;override_reason;contact_id;reason;candidates");
    assert!(lines[1].starts_with(&format!("Bogdan {name};+{taken};;;Somebody holds")), "{back}");
    assert!(lines[1].ends_with(&anna) && lines.len() == 4, "{back}");
    // Corrected: one is another person with a reason, one is that contact, one goes.
    let corrected = back
        .replace(&format!("Bogdan {name};+{taken};;"), &format!("Bogdan {name};+{taken};His wife;"))
        .replace(&format!("Anna {name};;;;"), &format!("Anna {name};;;{anna};"));
    let corrected: Vec<&str> = corrected.lines().take(3).collect();
    let file = terminal.write("corrected.csv", corrected.join("\n"));
    let said = terminal.import(&file, &[]);
    assert!(said.contains("rejected: 0") && said.contains("unchanged: 1"), "{said}");
    assert_eq!(found(&admin, &format!("+{taken}")).await.len(), 2);
    let counts = admin.get("/_kontor/contacts/v1/overrides").await.ok();
    let own = list(&counts["overrides"]).into_iter().find(|one| one["user_id"] == admin.user_id());
    assert_eq!(own.expect("counted")["count"], 1, "{counts}");
    // Whoever is no administrator imports nothing.
    let piotr = server.register("piotr").await;
    let sent = json!({ "import_id": "x", "rows": [{ "row": 1, "display_name": "X" }] });
    piotr.post("/_kontor/contacts/v1/imports", &sent).await.err(403, "M_FORBIDDEN");
    for bad in [json!([]), json!([{ "row": 1 }, { "row": 1 }])] {
        let sent = json!({ "import_id": "x", "rows": bad });
        admin.post("/_kontor/contacts/v1/imports", &sent).await.err(400, "M_INVALID_PARAM");
    }
}

async fn a_dry_run_writes_nothing_and_says_what_would_be(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (one, name) = (number(), surname());
    let file =
        terminal.write("in.csv", format!("name,phone\nJan {name},+{one}\nEwa {name},+{one}\nX,12\nY,\n"));
    let said = terminal.import(&file, &["--dry-run"]);
    assert!(said.starts_with("Nothing was written."), "{said}");
    assert!(said.contains("rejected: 1"), "the second has the number of the first: {said}");
    assert!(found(&admin, &name).await.is_empty());
    let done = terminal.import(&file, &[]);
    assert!(done.contains("rejected: 1"), "{done}");
    assert_eq!(found(&admin, &name).await.len(), 1);
}

async fn cards_are_taken_like_rows(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (one, two, name, uid) = (number(), number(), surname(), word());
    let text = format!(
        "BEGIN:VCARD\r\nVERSION:3.0\r\nN:{name};Jan;;;\r\nTEL;TYPE=CELL:+{one}\r\nUID:{uid}\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ewa {name}\r\nTEL;VALUE=uri:tel:+{two}\r\nLANG:pl\r\nEND:VCARD\r\n\
         BEGIN:VCARD\r\nVERSION:2.1\r\nFN:Old {name}\r\nEND:VCARD\r\n"
    );
    let file = terminal.write("cards.vcf", text);
    let rejected = terminal.file("rejected.vcf");
    let said = terminal.import(&file, &["--rejected", &rejected]);
    assert!(said.contains("New: 2,") && said.contains("rejected: 1"), "{said}");
    assert!(fs::read_to_string(&rejected).expect("written").contains("X-KONTOR-REASON:It is no vCard"));
    let again = terminal.import(&file, &[]);
    assert!(again.contains("taken before: 2"), "{again}");
    assert_eq!(found(&admin, &format!("+{two}")).await[0]["language"], "pl");
}

async fn an_export_that_is_imported_again_changes_nothing(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (one, two, name) = (number(), number(), surname());
    let wish = json!({
        "display_name": format!("=Jan {name}"), "phones": [format!("+{one}"), format!("+{two}")],
        "emails": [format!("{name}@example.com")],
    });
    let id = text(&admin.post(CONTACTS, &wish).await.json["contact_id"]);
    let before = admin.get(&format!("{CONTACTS}/{id}")).await.ok();
    let csv = terminal.exported("csv");
    let line = csv.lines().find(|line| line.starts_with(&id)).expect("it is there");
    assert!(line.contains(&format!(",'=Jan {name},'+")), "no formulas: {line}");
    for form in ["csv", "vcf"] {
        let text = terminal.exported(form);
        // The others of this server change while this runs.
        let own: String = match form {
            "csv" => {
                let head = text.lines().next().unwrap_or_default();
                let line = text.lines().find(|line| line.starts_with(&id)).expect("there");
                format!("{head}\n{line}\n")
            }
            _ => {
                let card = text.split("BEGIN:VCARD").find(|card| card.contains(&id)).expect("there");
                format!("BEGIN:VCARD{card}")
            }
        };
        let said = terminal.import(&terminal.write(&format!("again.{form}"), own), &[]);
        assert!(said.contains("unchanged: 1") && said.contains("rejected: 0"), "{said}");
    }
    assert_eq!(admin.get(&format!("{CONTACTS}/{id}")).await.ok(), before);
    let lines = terminal.exported("jsonl");
    assert!(lines.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    assert!(lines.contains(&id));
}

async fn consents_come_and_go_with_files_and_the_most_restrictive_word_wins(server: Homeserver) {
    if is_reference() {
        return;
    }
    let admin = server.register_admin("admin").await;
    let terminal = Terminal::of(&server, &admin);
    let (one, two, three, name) = (number(), number(), number(), surname());
    let file = terminal.write(
        "in.csv",
        format!(
            "name;phone;consent_news;consent_news_date;consent_news_text;consent_news_source;consents\n\
             Jan {name}a;+{one};tak;1.05.2026;v3;form;calls: withdrawn\n\
             Ewa {name}b;+{two};given;;v3;;\n\
             Ola {name}c;+{three};perhaps;2026-05-01;v3;;\n"
        ),
    );
    let rejected = terminal.file("rejected.csv");
    for more in [&["--dry-run"][..], &["--rejected", &rejected]] {
        let said = terminal.import(&file, more);
        assert!(said.contains("rejected: 2") && said.contains("Consents: given 1, withdrawn 1."), "{said}");
    }
    let back = fs::read_to_string(&rejected).expect("written");
    assert!(back.contains(&format!("Ewa {name}b;+{two};given;;v3;;;A consent of it")), "{back}");
    assert_eq!(back.lines().count(), 3, "{back}");
    let card = async |typed: &str| {
        let id = text(&found(&admin, typed).await[0]["contact_id"]);
        admin.get(&format!("{CONTACTS}/{id}")).await.ok()
    };
    let jan = card(&format!("+{one}")).await;
    let told: Vec<_> = list(&jan["consents"])
        .iter()
        .map(|one| ["purpose", "state", "text_version", "act", "source"].map(|field| text(&one[field])))
        .collect();
    assert!(told.contains(&["news", "given", "v3", "import", "form"].map(str::to_owned)), "{told:?}");
    assert!(told.contains(&["calls", "withdrawn", "", "import", "import"].map(str::to_owned)), "{told:?}");
    // Out and in again, in both forms: nothing changes.
    let id = text(&jan["contact_id"]);
    for form in ["csv", "vcf"] {
        let all = terminal.exported(form);
        let own = match form {
            "csv" => {
                let line = all.lines().find(|line| line.starts_with(&id)).expect("there");
                assert!(line.contains("news: given, 2026-0"), "{line}");
                format!("{}\n{line}\n", all.lines().next().unwrap_or_default())
            }
            _ => {
                let card = all.split("BEGIN:VCARD").find(|card| card.contains(&id)).expect("there");
                assert!(card.contains("X-KONTOR-CONSENT:news: given"), "{card}");
                format!("BEGIN:VCARD{card}")
            }
        };
        let said = terminal.import(&terminal.write(&format!("again.{form}"), own), &[]);
        assert!(said.contains("unchanged: 1") && !said.contains("Consents:"), "{said}");
    }
    // What was taken back stays so, whatever a file says; what a file says was taken back is.
    let file = terminal.write(
        "more.csv",
        format!(
            "contact_id;consent_news;consent_calls;consent_calls_date;consent_calls_text\n\
             {id};nie;tak;2026-06-01;v4\n"
        ),
    );
    let said = terminal.import(&file, &[]);
    assert!(said.contains("updated: 1") && said.contains("Consents: given 0, withdrawn 1."), "{said}");
    let line = terminal.exported("csv").lines().find(|line| line.starts_with(&id)).expect("there").to_owned();
    assert!(line.contains("calls: withdrawn") && line.contains("news: withdrawn"), "{line}");
    // Of nobody who is known, consents alone make no contact.
    let nobody = terminal.write("nobody.csv", "contact_id;consent_news\n01ARZ3NDEKTSV4RRFFQ69G5FAV;nie\n");
    let said = terminal.import(&nobody, &[]);
    assert!(said.contains("New: 0,") && said.contains("rejected: 1"), "{said}");
}

async fn an_export_holds_only_what_one_may_see(server: Homeserver) {
    if is_reference() {
        return;
    }
    let (anna, piotr) = (server.register("anna").await, server.register("piotr").await);
    let name = surname();
    for (who, visibility) in [(&anna, "owner"), (&piotr, "owner"), (&piotr, "all")] {
        let called = format!("{visibility} {name} {}", who.localpart());
        let wish =
            json!({ "display_name": called, "phones": [format!("+{}", number())], "visibility": visibility });
        let made = who.post(CONTACTS, &wish).await;
        // Those of the first loop are called alike.
        let lookup = made.json["lookup_id"].clone();
        if made.status == 409 {
            let mut wish = wish.clone();
            wish["lookup_id"] = lookup;
            assert_eq!(who.post(CONTACTS, &wish).await.status, 201);
        }
    }
    let text = Terminal::of(&server, &anna).exported("csv");
    let own: Vec<&str> = text.lines().filter(|line| line.contains(&name)).collect();
    assert_eq!(own.len(), 2, "{own:?}");
    assert!(own.iter().all(|line| line.contains("anna") || line.contains("all ")), "{own:?}");
}
