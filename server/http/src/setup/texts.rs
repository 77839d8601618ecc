//! The words of the set-up page, in every language that Kontor speaks.

use axum::http::HeaderMap;
use kontor_model::{Code, Language};

/// The words of one language.
pub(super) struct Texts {
    pub code: &'static str,
    pub title: &'static str,
    pub lead: &'static str,
    pub server: &'static str,
    pub name: &'static str,
    pub name_hint: &'static str,
    pub password: &'static str,
    pub password_hint: &'static str,
    pub button: &'static str,
    pub closed_title: &'static str,
    pub closed: &'static str,
    pub done_title: &'static str,
    pub done: &'static str,
    pub done_next: &'static str,
    bad_name: &'static str,
    taken: &'static str,
    weak: &'static str,
    long: &'static str,
}

static ENGLISH: Texts = Texts {
    code: "en",
    title: "The first administrator",
    lead: "Choose a name and a password. With them you log in from any Matrix client and administer this server.",
    server: "Server",
    name: "Name",
    name_hint: "Small letters a-z, digits, and . _ = - /",
    password: "Password",
    password_hint: "At least 8 characters. A long sentence is best.",
    button: "Create the administrator",
    closed_title: "This link is of no use any more",
    closed: "It was used already, or it is not complete. Open the whole link that the server printed when it started. \
             If an administrator exists, ask them for an account.",
    done_title: "Done",
    done: "You are the administrator. Your user id:",
    done_next: "Log in with a Matrix client, such as Element. Address of this server:",
    bad_name: "A name may hold small letters a-z, digits and . _ = - / only. Correct the name.",
    taken: "This name is taken. Choose another.",
    weak: "The password is too short. Take at least 8 characters.",
    long: "The password is too long. Take at most 512 characters.",
};

static POLISH: Texts = Texts {
    code: "pl",
    title: "Pierwszy administrator",
    lead: "Wybierz nazwę i hasło. Za ich pomocą zalogujesz się w dowolnym kliencie Matrix i będziesz zarządzać tym \
           serwerem.",
    server: "Serwer",
    name: "Nazwa",
    name_hint: "Małe litery a-z, cyfry oraz . _ = - /",
    password: "Hasło",
    password_hint: "Co najmniej 8 znaków. Najlepiej długie zdanie.",
    button: "Utwórz administratora",
    closed_title: "Ten odnośnik już nie działa",
    closed: "Został już użyty albo jest niepełny. Otwórz cały odnośnik, który serwer wypisał przy starcie. Jeśli \
             administrator już istnieje, poproś go o konto.",
    done_title: "Gotowe",
    done: "Jesteś administratorem. Twój identyfikator:",
    done_next: "Zaloguj się w kliencie Matrix, na przykład w Element. Adres tego serwera:",
    bad_name: "Nazwa może zawierać tylko małe litery a-z, cyfry oraz . _ = - / Popraw nazwę.",
    taken: "Ta nazwa jest zajęta. Wybierz inną.",
    weak: "Hasło jest za krótkie. Użyj co najmniej 8 znaków.",
    long: "Hasło jest za długie. Użyj najwyżej 512 znaków.",
};

static UKRAINIAN: Texts = Texts {
    code: "uk",
    title: "Перший адміністратор",
    lead: "Оберіть ім’я та пароль. З ними ви увійдете в будь-якому клієнті Matrix і керуватимете цим сервером.",
    server: "Сервер",
    name: "Ім’я",
    name_hint: "Малі латинські літери a-z, цифри та . _ = - /",
    password: "Пароль",
    password_hint: "Щонайменше 8 символів. Найкраще довге речення.",
    button: "Створити адміністратора",
    closed_title: "Це посилання вже не діє",
    closed: "Ним уже скористалися, або воно неповне. Відкрийте повне посилання, яке сервер надрукував під час запуску. \
             Якщо адміністратор уже є, попросіть у нього обліковий запис.",
    done_title: "Готово",
    done: "Ви адміністратор. Ваш ідентифікатор:",
    done_next: "Увійдіть у клієнті Matrix, наприклад Element. Адреса цього сервера:",
    bad_name: "Ім’я може містити лише малі латинські літери a-z, цифри та . _ = - / Виправте ім’я.",
    taken: "Це ім’я зайняте. Оберіть інше.",
    weak: "Пароль закороткий. Щонайменше 8 символів.",
    long: "Пароль задовгий. Щонайбільше 512 символів.",
};

impl Texts {
    /// The words in the language that the browser prefers among those that there are.
    pub fn of(headers: &HeaderMap) -> &'static Self {
        match crate::extract::language(headers) {
            Language::English => &ENGLISH,
            Language::Polish => &POLISH,
            Language::Ukrainian => &UKRAINIAN,
        }
    }

    /// What was wrong with a form, if it is something that the person can correct.
    pub fn wrong(&self, code: Code) -> Option<&'static str> {
        match code {
            Code::InvalidUsername => Some(self.bad_name),
            Code::UserInUse => Some(self.taken),
            Code::WeakPassword => Some(self.weak),
            Code::InvalidParam => Some(self.long),
            _ => None,
        }
    }
}
