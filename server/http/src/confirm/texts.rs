//! The words of the page behind a mail's link, in every language that Kontor speaks.

use kontor_model::Language;

/// The words of one language.
pub(super) struct Texts {
    pub ask_title: &'static str,
    pub ask_lead: &'static str,
    pub ask_button: &'static str,
    pub ask_hint: &'static str,
    pub reset_title: &'static str,
    pub reset_lead: &'static str,
    pub reset_button: &'static str,
    pub reset_hint: &'static str,
    pub done_title: &'static str,
    pub done: &'static str,
    pub reset_done: &'static str,
    pub go_on: &'static str,
    pub closed_title: &'static str,
    pub closed: &'static str,
}

static ENGLISH: Texts = Texts {
    ask_title: "Confirm your e-mail address",
    ask_lead: "Is this address yours?",
    ask_button: "Yes, confirm it",
    ask_hint: "If you did not ask for this, close this page: nothing happens.",
    reset_title: "Allow a new password",
    reset_lead: "A new password is to be set for the account with this address:",
    reset_button: "Allow it",
    reset_hint: "If you did not ask for this, close this page: your password stays as it is.",
    done_title: "Done",
    done: "The address is confirmed. Go back to the app in which you entered it, and go on there.",
    reset_done: "Go back to the app in which you asked for a new password, and set it there.",
    go_on: "Go on to",
    closed_title: "This link is of no use any more",
    closed: "It was used already, is older than 24 hours, or is not complete. Ask for a new mail in your app.",
};

static POLISH: Texts = Texts {
    ask_title: "Potwierdź swój adres e-mail",
    ask_lead: "Czy to Twój adres?",
    ask_button: "Tak, potwierdzam",
    ask_hint: "Jeśli to nie Ty o to prosisz, zamknij tę stronę: nic się nie stanie.",
    reset_title: "Zezwól na nowe hasło",
    reset_lead: "Nowe hasło ma zostać ustawione do konta z tym adresem:",
    reset_button: "Zezwalam",
    reset_hint: "Jeśli to nie Ty o to prosisz, zamknij tę stronę: hasło pozostanie bez zmian.",
    done_title: "Gotowe",
    done: "Adres został potwierdzony. Wróć do aplikacji, w której go podano, i kontynuuj tam.",
    reset_done: "Wróć do aplikacji, w której poproszono o nowe hasło, i ustaw je tam.",
    go_on: "Przejdź do",
    closed_title: "Ten odnośnik już nie działa",
    closed: "Został już użyty, ma więcej niż 24 godziny albo jest niepełny. Poproś o nową wiadomość w aplikacji.",
};

static UKRAINIAN: Texts = Texts {
    ask_title: "Підтвердьте свою електронну адресу",
    ask_lead: "Це ваша адреса?",
    ask_button: "Так, підтверджую",
    ask_hint: "Якщо ви про це не просили, закрийте сторінку: нічого не станеться.",
    reset_title: "Дозвольте новий пароль",
    reset_lead: "Новий пароль буде встановлено для облікового запису з цією адресою:",
    reset_button: "Дозволяю",
    reset_hint: "Якщо ви про це не просили, закрийте сторінку: пароль залишиться без змін.",
    done_title: "Готово",
    done: "Адресу підтверджено. Поверніться до застосунку, у якому її вказали, і продовжуйте там.",
    reset_done: "Поверніться до застосунку, у якому просили новий пароль, і встановіть його там.",
    go_on: "Перейти до",
    closed_title: "Це посилання вже не діє",
    closed: "Ним уже скористалися, йому понад 24 години або воно неповне. Попросіть новий лист у застосунку.",
};

impl Texts {
    /// The words of a language.
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::Polish => &POLISH,
            Language::Ukrainian => &UKRAINIAN,
        }
    }
}
