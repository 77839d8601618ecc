//! How channels are: what their bridges tell, what their silence means, and what people are told of it.
//!
//! Pure: the sweep asks the archive and posts what follows from here.

use kontor_model::{Language, Ms};
use kontor_store::contacts::channels::ChannelRow;
use serde_json::Value;
use std::collections::BTreeMap;

/// A bridge that tells nothing for so long is gone; they tell something every minute.
const SILENT: Ms = 240_000;
/// What is only not quite well is told once it lasts so long.
const PASSING: Ms = 60_000;

/// Every state that a channel can be in, for figures.
pub const STATES: [&str; 8] =
    ["connected", "degraded", "no_traffic", "bad_credentials", "down", "silent", "paused", "unknown"];

/// States by account; `""` is the channel itself, and what is not named is connected.
pub type States = BTreeMap<String, String>;

/// How a channel is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// connected, degraded, no_traffic, bad_credentials, down, silent, paused; unknown before the first word.
    pub state: String,
    /// What the bridge says about it, for administrators.
    pub detail: String,
}

fn report(row: &ChannelRow) -> Option<Value> {
    row.health.as_deref().and_then(|health| serde_json::from_str(health).ok())
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// How a channel is.
pub fn now_of(row: &ChannelRow, paused: bool, now: Ms) -> Now {
    let Some(report) = report(row) else {
        return Now { state: "unknown".to_owned(), detail: "Its bridge was never heard of.".to_owned() };
    };
    let detail = text(&report, "detail").to_owned();
    if row.health_ts.is_some_and(|at| now - at > SILENT) {
        return Now { state: "silent".to_owned(), detail: "Its bridge tells nothing any more.".to_owned() };
    }
    let state = if paused { "paused" } else { text(&report, "state") };
    Now { state: state.to_owned(), detail }
}

/// What people are to know of a channel, after what they were told `before`.
pub fn to_tell(row: &ChannelRow, paused: bool, before: &States, now: Ms) -> States {
    let mut states = States::new();
    let told = now_of(row, paused, now).state;
    let report = report(row).unwrap_or_default();
    let accounts = report.get("accounts").and_then(Value::as_array);
    if !matches!(told.as_str(), "silent" | "paused" | "bad_credentials" | "down") {
        for account in accounts.into_iter().flatten() {
            let (name, state) = (text(account, "account"), text(account, "state"));
            if !name.is_empty() && matches!(state, "read_only" | "disconnected") {
                states.insert(name.to_owned(), state.to_owned());
            }
        }
    }
    let since = report.get("since").and_then(Value::as_i64).unwrap_or(now);
    let state = match told.as_str() {
        // Whose accounts they are know it; it does not concern the others.
        "degraded" if !states.is_empty() => None,
        "degraded" if now - since < PASSING => before.get("").cloned(),
        "connected" | "unknown" | "" => None,
        state => Some(state.to_owned()),
    };
    if let Some(state) = state {
        states.insert(String::new(), state);
    }
    states
}

/// What a conversation of an account is to show.
pub fn of_account<'a>(states: &'a States, account: &str) -> &'a str {
    let own = states.get(account).filter(|_| !account.is_empty());
    own.or_else(|| states.get("")).map_or("connected", String::as_str)
}

/// What is told of a channel that is in a state, to those who answer there and to administrators.
pub fn sentence(language: Language, channel: &str, state: &str) -> String {
    let (en, pl, uk) = words(state);
    let text = match language {
        Language::English => en,
        Language::Polish => pl,
        Language::Ukrainian => uk,
    };
    let sign = if state == "connected" { "✅" } else { "⚠️" };
    format!("{sign} {channel}: {text}")
}

fn words(state: &str) -> (&'static str, &'static str, &'static str) {
    match state {
        "connected" => (
            "the channel works again. What waited is delivered now.",
            "kanał znów działa. To, co czekało, jest teraz dostarczane.",
            "канал знову працює. Те, що чекало, зараз доставляється.",
        ),
        "no_traffic" => (
            "nothing has come for much longer than usual. Perhaps messages of customers do not arrive; an administrator should look.",
            "od dawna nic nie przyszło, dłużej niż zwykle. Być może wiadomości klientów nie docierają; powinien to sprawdzić administrator.",
            "давно нічого не надходило, довше ніж зазвичай. Можливо, повідомлення клієнтів не доходять; це має перевірити адміністратор.",
        ),
        "bad_credentials" => (
            "the network does not accept our access any more. Answers wait until an administrator renews it; in urgent cases call or send an SMS.",
            "sieć nie przyjmuje już naszego dostępu. Odpowiedzi czekają, aż administrator go odnowi; w pilnej sprawie zadzwoń albo wyślij SMS.",
            "мережа більше не приймає наш доступ. Відповіді чекають, доки адміністратор його поновить; у терміновій справі зателефонуйте або надішліть SMS.",
        ),
        "down" => (
            "the network cannot be reached. Answers wait and are sent as soon as it is back.",
            "nie ma połączenia z siecią. Odpowiedzi czekają i zostaną wysłane, gdy tylko wróci.",
            "немає зв'язку з мережею. Відповіді чекають і будуть надіслані, щойно він відновиться.",
        ),
        "silent" => (
            "the bridge does not run. Nothing comes and nothing goes out until an administrator starts it; nothing is lost meanwhile.",
            "most nie działa. Nic nie przychodzi i nic nie wychodzi, dopóki administrator go nie uruchomi; nic przy tym nie ginie.",
            "міст не працює. Нічого не надходить і не надсилається, доки адміністратор його не запустить; нічого при цьому не губиться.",
        ),
        "paused" => (
            "an administrator paused the channel. Answers wait and are sent when it goes on.",
            "administrator wstrzymał kanał. Odpowiedzi czekają i zostaną wysłane po wznowieniu.",
            "адміністратор призупинив канал. Відповіді чекають і будуть надіслані після відновлення.",
        ),
        "removed" => (
            "the channel was removed. Nothing that is written here reaches the customer any more; what was said stays.",
            "kanał został usunięty. To, co tu napiszesz, nie dotrze już do klienta; historia zostaje.",
            "канал вилучено. Те, що тут буде написано, вже не дійде до клієнта; історія лишається.",
        ),
        "read_only" => (
            "the company's account is connected for reading only. Answers do not go out until its owner allows writing in the network's settings.",
            "konto firmy jest połączone tylko do odczytu. Odpowiedzi nie wyjdą, dopóki właściciel nie zezwoli na pisanie w ustawieniach sieci.",
            "акаунт компанії під'єднано лише для читання. Відповіді не надсилатимуться, доки власник не дозволить писати в налаштуваннях мережі.",
        ),
        "disconnected" => (
            "the company's account was disconnected. Answers do not go out until its owner connects it again.",
            "konto firmy zostało odłączone. Odpowiedzi nie wyjdą, dopóki właściciel nie połączy go ponownie.",
            "акаунт компанії від'єднано. Відповіді не надсилатимуться, доки власник не під'єднає його знову.",
        ),
        // degraded
        _ => (
            "the channel works, but not well. Messages may be late; an administrator sees the reason.",
            "kanał działa, ale nie najlepiej. Wiadomości mogą się spóźniać; administrator widzi przyczynę.",
            "канал працює, але не найкраще. Повідомлення можуть запізнюватися; адміністратор бачить причину.",
        ),
    }
}

/// How much of a window is left when that is told.
pub fn little(window: Ms) -> Ms {
    window / 12
}

/// What those backstage should know of a window, and when there is more to tell: 1 open, 2 little is left, 3
/// closed.
pub fn stage(window: Ms, until: Ms, now: Ms) -> (i64, Option<Ms>) {
    let warn = until - little(window);
    match () {
        () if now >= until => (3, None),
        () if now >= warn => (2, Some(until)),
        () => (1, Some(warn)),
    }
}

/// What is told of a window.
pub fn window_sentence(language: Language, stage: i64, until: &str) -> String {
    match (stage, language) {
        (1, Language::English) => format!(
            "⏳ Answers reach the customer until {until}; each new message of theirs begins a new span."
        ),
        (1, Language::Polish) => format!(
            "⏳ Odpowiedzi dotrą do klienta do {until}; każda jego nowa wiadomość otwiera okno od nowa."
        ),
        (1, Language::Ukrainian) => format!(
            "⏳ Відповіді дійдуть до клієнта до {until}; кожне його нове повідомлення відкриває вікно знову."
        ),
        (2, Language::English) => {
            format!("⏳ Little time is left: answers reach the customer only until {until}. Answer now.")
        }
        (2, Language::Polish) => {
            format!("⏳ Zostało mało czasu: odpowiedzi dotrą do klienta tylko do {until}. Odpowiedz teraz.")
        }
        (2, Language::Ukrainian) => format!(
            "⏳ Лишилося мало часу: відповіді дійдуть до клієнта лише до {until}. Дайте відповідь зараз."
        ),
        (_, Language::English) => format!(
            "⌛ The time for answers ended {until}. Nothing reaches the customer here until they write again: call or send an SMS."
        ),
        (_, Language::Polish) => format!(
            "⌛ Czas na odpowiedź minął {until}. Nic tu nie dotrze do klienta, dopóki sam nie napisze: zadzwoń albo wyślij SMS."
        ),
        (_, Language::Ukrainian) => format!(
            "⌛ Час на відповідь минув {until}. Сюди нічого не дійде, доки клієнт не напише знову: зателефонуйте або надішліть SMS."
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const NOW: Ms = 10_000_000;

    fn channel(report: Option<Value>) -> ChannelRow {
        ChannelRow {
            id: "telegram".to_owned(),
            kind: "telegram".to_owned(),
            account: String::new(),
            name: "Telegram".to_owned(),
            service: "telegram".to_owned(),
            language: "pl".to_owned(),
            exclusive: false,
            visibility: "team".to_owned(),
            version: 1,
            created_ts: 0,
            health_ts: report.is_some().then_some(NOW),
            health: report.map(|report| report.to_string()),
        }
    }

    fn told(report: Value, paused: bool, before: &States, later: Ms) -> Vec<(String, String)> {
        to_tell(&channel(Some(report)), paused, before, NOW + later).into_iter().collect()
    }

    fn one(account: &str, state: &str) -> Vec<(String, String)> {
        vec![(account.to_owned(), state.to_owned())]
    }

    #[test]
    fn what_a_bridge_tells_is_told_and_its_silence_as_well() {
        let none = States::new();
        assert!(to_tell(&channel(None), false, &none, NOW).is_empty(), "nothing is known");
        assert!(told(json!({ "state": "connected" }), false, &none, 0).is_empty());
        assert_eq!(told(json!({ "state": "down" }), false, &none, 0), one("", "down"));
        assert_eq!(told(json!({ "state": "connected" }), true, &none, 0), one("", "paused"));
        assert_eq!(told(json!({ "state": "connected" }), false, &none, SILENT + 1), one("", "silent"));
    }

    #[test]
    fn what_passes_is_not_told() {
        let (none, down) = (States::new(), States::from([(String::new(), "down".to_owned())]));
        let since = |since: Ms| json!({ "state": "degraded", "since": since });
        assert!(told(since(NOW - 1000), false, &none, 0).is_empty());
        assert_eq!(told(since(NOW - 1000), false, &down, 0), one("", "down"), "what was told stays");
        assert_eq!(told(since(NOW - PASSING), false, &none, 0), one("", "degraded"));
    }

    #[test]
    fn what_concerns_one_account_is_told_there() {
        let accounts = json!([{ "account": "business:5", "state": "read_only" }, { "account": "business:6", "state": "connected" }]);
        let report = json!({ "state": "degraded", "since": 0, "accounts": accounts });
        let states = to_tell(&channel(Some(report)), false, &States::new(), NOW);
        assert_eq!(of_account(&states, "business:5"), "read_only");
        assert_eq!(of_account(&states, "business:6"), "connected");
        assert_eq!(of_account(&states, ""), "connected");
    }

    #[test]
    fn everything_is_said_in_every_language() {
        let all = [
            "connected",
            "degraded",
            "no_traffic",
            "bad_credentials",
            "down",
            "silent",
            "paused",
            "removed",
            "read_only",
            "disconnected",
        ];
        let languages = [Language::English, Language::Polish, Language::Ukrainian];
        let said: std::collections::HashSet<String> =
            all.iter().flat_map(|state| languages.map(|language| sentence(language, "T", state))).collect();
        assert_eq!(said.len(), 30);
    }

    #[test]
    fn a_window_is_open_then_nearly_closed_then_closed() {
        let (day, hour) = (86_400_000, 3_600_000);
        assert_eq!(stage(day, day, 0), (1, Some(22 * hour)));
        assert_eq!(stage(day, day, 22 * hour), (2, Some(day)));
        assert_eq!(stage(day, day, day), (3, None));
    }
}
