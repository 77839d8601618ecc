//! Every text that a person reads, in all three languages.

use crate::language::Language;

/// Makes a list of texts.
macro_rules! texts {
    ($list:ident: $( $(#[doc = $doc:literal])+ $name:ident { en: $en:literal, pl: $pl:literal, uk: $uk:literal $(,)? } )*) => {
        /// A text; words in braces are filled in with [`Text::with`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $list { $( $(#[doc = $doc])+ $name, )* }

        impl $list {
            /// The text in the language, its words in braces replaced.
            pub fn with(self, language: Language, words: &[(&str, &str)]) -> String {
                words.iter().fold(self.of(language).to_owned(), |text, (name, value)| {
                    text.replace(&format!("{{{name}}}"), value)
                })
            }

            /// The text in the language.
            pub fn of(self, language: Language) -> &'static str {
                match (self, language) {
                    $(
                        (Self::$name, Language::English) => $en,
                        (Self::$name, Language::Polish) => $pl,
                        (Self::$name, Language::Ukrainian) => $uk,
                    )*
                }
            }

            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[ $( Self::$name, )* ];
        }
    };
}

pub(crate) use texts;

texts! { Text:
    /// Help of the program.
    About {
        en: "Administers a Kontor homeserver",
        pl: "Administruje serwerem Kontor",
        uk: "Адмініструє сервер Kontor",
    }
    /// What stands after the help.
    Environment {
        en: "The administrator's access token is read from the environment variable KONTORCTL_TOKEN.\nExit codes: 0 done, 1 other failure, 2 wrong usage, 3 not found, 4 refused, 5 conflict, 6 done in part.",
        pl: "Token dostępu administratora jest czytany ze zmiennej środowiskowej KONTORCTL_TOKEN.\nKody wyjścia: 0 wykonano, 1 inny błąd, 2 złe użycie, 3 nie znaleziono, 4 odmowa, 5 konflikt, 6 wykonano częściowo.",
        uk: "Токен доступу адміністратора читається зі змінної середовища KONTORCTL_TOKEN.\nКоди виходу: 0 виконано, 1 інша помилка, 2 хибне використання, 3 не знайдено, 4 відмова, 5 конфлікт, 6 виконано частково.",
    }
    /// Help of `channel`.
    ChannelHelp {
        en: "Channels: the company's accounts in networks, and whether they work",
        pl: "Kanały: konta firmy w sieciach i to, czy działają",
        uk: "Канали: акаунти компанії в мережах і чи вони працюють",
    }
    /// Help of `channel list`.
    ChannelListHelp {
        en: "List channels and how they are",
        pl: "Wypisz kanały i ich stan",
        uk: "Показати канали та їхній стан",
    }
    /// Help of `channel add`.
    ChannelAddHelp {
        en: "Register a channel with its bridge, and say what comes next",
        pl: "Zarejestruj kanał z jego mostem i powiedz, co dalej",
        uk: "Зареєструвати канал із його мостом і сказати, що далі",
    }
    /// Help of the kind.
    ChannelKindHelp {
        en: "The network",
        pl: "Sieć",
        uk: "Мережа",
    }
    /// Help of the channel's name.
    ChannelIdHelp {
        en: "Name of the channel for machines, such as telegram",
        pl: "Nazwa kanału dla maszyn, na przykład telegram",
        uk: "Назва каналу для машин, наприклад telegram",
    }
    /// Help of `--title`.
    ChannelTitleHelp {
        en: "What people call it",
        pl: "Jak nazywają go ludzie",
        uk: "Як його називають люди",
    }
    /// Help of `--member`.
    ChannelMemberHelp {
        en: "Who answers there, a user id; may be given several times",
        pl: "Kto tam odpowiada, identyfikator użytkownika; można podać kilka razy",
        uk: "Хто там відповідає, ідентифікатор користувача; можна вказати кілька разів",
    }
    /// Help of `--bridge-url`.
    BridgeUrlHelp {
        en: "Where the server reaches the bridge",
        pl: "Gdzie serwer znajdzie most",
        uk: "Де сервер знайде міст",
    }
    /// Help of `--channel-language`.
    ChannelLanguageHelp {
        en: "Language of notices where the customer's is not known",
        pl: "Język powiadomień, gdy język klienta nie jest znany",
        uk: "Мова сповіщень, якщо мова клієнта невідома",
    }
    /// Help of `--registration`.
    RegistrationHelp {
        en: "New file for the bridge's tokens; its place is the bridge's data folder",
        pl: "Nowy plik z tokenami mostu; jego miejsce jest w katalogu danych mostu",
        uk: "Новий файл із токенами мосту; його місце в теці даних мосту",
    }
    /// Help of `channel test`.
    ChannelTestHelp {
        en: "Ask the network whether the channel's access works",
        pl: "Zapytaj sieć, czy dostęp kanału działa",
        uk: "Запитати мережу, чи працює доступ каналу",
    }
    /// Help of `channel pause`.
    ChannelPauseHelp {
        en: "Let a channel rest: nothing is lost, everything waits",
        pl: "Wstrzymaj kanał: nic nie ginie, wszystko czeka",
        uk: "Призупинити канал: ніщо не губиться, усе чекає",
    }
    /// Help of `channel resume`.
    ChannelResumeHelp {
        en: "Let a paused channel go on",
        pl: "Wznów wstrzymany kanał",
        uk: "Відновити призупинений канал",
    }
    /// Help of `channel remove`.
    ChannelRemoveHelp {
        en: "Remove a channel; its conversations stay",
        pl: "Usuń kanał; jego rozmowy zostają",
        uk: "Вилучити канал; його розмови лишаються",
    }
    /// There are none.
    NoChannels {
        en: "There are no channels yet. `kontorctl channel add` makes one.",
        pl: "Nie ma jeszcze kanałów. `kontorctl channel add` zakłada kanał.",
        uk: "Каналів ще немає. `kontorctl channel add` створює канал.",
    }
    /// A channel was added.
    ChannelAdded {
        en: "The channel {id} is registered. What comes next:\n  1. Put {file} into the bridge's data folder as registration.json. It holds the bridge's tokens: keep it secret.\n  2. kontor generate-config {kind} > {kind}.toml, and set what it asks for.\n  3. kontor bridge {kind} --config {kind}.toml\n  4. kontorctl channel test {id}",
        pl: "Kanał {id} jest zarejestrowany. Co dalej:\n  1. Umieść {file} w katalogu danych mostu jako registration.json. Są w nim tokeny mostu: trzymaj go w tajemnicy.\n  2. kontor generate-config {kind} > {kind}.toml i ustaw, o co prosi.\n  3. kontor bridge {kind} --config {kind}.toml\n  4. kontorctl channel test {id}",
        uk: "Канал {id} зареєстровано. Що далі:\n  1. Покладіть {file} у теку даних мосту під назвою registration.json. У ньому токени мосту: тримайте його в таємниці.\n  2. kontor generate-config {kind} > {kind}.toml і задайте те, про що він просить.\n  3. kontor bridge {kind} --config {kind}.toml\n  4. kontorctl channel test {id}",
    }
    /// A channel was paused.
    ChannelPaused {
        en: "The channel {id} is paused. Whatever comes and goes waits; `kontorctl channel resume {id}` lets it go on.",
        pl: "Kanał {id} jest wstrzymany. Wszystko, co przychodzi i wychodzi, czeka; `kontorctl channel resume {id}` go wznawia.",
        uk: "Канал {id} призупинено. Усе, що надходить і надсилається, чекає; `kontorctl channel resume {id}` відновлює його.",
    }
    /// A channel goes on.
    ChannelResumed {
        en: "The channel {id} goes on; what waited is delivered.",
        pl: "Kanał {id} działa dalej; to, co czekało, jest dostarczane.",
        uk: "Канал {id} працює далі; те, що чекало, доставляється.",
    }
    /// The bridge was not reached.
    BridgeAway {
        en: "Its bridge does not answer ({error}) and will hear of it when it comes back.",
        pl: "Jego most nie odpowiada ({error}) i dowie się o tym po powrocie.",
        uk: "Його міст не відповідає ({error}) і дізнається про це, коли повернеться.",
    }
    /// A channel was removed.
    ChannelRemoved {
        en: "The channel {id} was removed, and its bridge with its tokens. Conversations and cards stay. End the bridge's process.",
        pl: "Kanał {id} został usunięty wraz z mostem i jego tokenami. Rozmowy i karty zostają. Zakończ proces mostu.",
        uk: "Канал {id} вилучено разом із мостом і його токенами. Розмови та картки лишаються. Завершіть процес мосту.",
    }
    /// A channel was removed, its service stays.
    ChannelRemovedServiceStays {
        en: "The channel {id} was removed. Conversations and cards stay. Its application service {service} stands in a file of the server's: take it out there.",
        pl: "Kanał {id} został usunięty. Rozmowy i karty zostają. Jego usługa {service} jest w pliku serwera: usuń ją stamtąd.",
        uk: "Канал {id} вилучено. Розмови та картки лишаються. Його служба {service} записана у файлі сервера: приберіть її звідти.",
    }
    /// A state.
    StateConnected {
        en: "connected",
        pl: "połączony",
        uk: "під'єднано",
    }
    /// A state.
    StateDegraded {
        en: "degraded",
        pl: "działa słabo",
        uk: "працює погано",
    }
    /// A state.
    StateNoTraffic {
        en: "no traffic",
        pl: "brak ruchu",
        uk: "немає трафіку",
    }
    /// A state.
    StateBadCredentials {
        en: "bad credentials",
        pl: "zły dostęp",
        uk: "хибний доступ",
    }
    /// A state.
    StateDown {
        en: "down",
        pl: "brak połączenia",
        uk: "немає зв'язку",
    }
    /// A state.
    StateSilent {
        en: "bridge does not run",
        pl: "most nie działa",
        uk: "міст не працює",
    }
    /// A state.
    StatePaused {
        en: "paused",
        pl: "wstrzymany",
        uk: "призупинено",
    }
    /// A state.
    StateUnknown {
        en: "never heard of",
        pl: "jeszcze nieznany",
        uk: "ще невідомо",
    }
    /// Help of `contacts`.
    ContactsHelp {
        en: "Contacts: customers and whose messages are whose",
        pl: "Kontakty: klienci i to, czyje są wiadomości",
        uk: "Контакти: клієнти та чиї повідомлення кому належать",
    }
    /// Help of `contacts replay`.
    ReplayHelp {
        en: "Tells the server of a stream of channel events and writes down whose they are",
        pl: "Przekazuje serwerowi strumień zdarzeń z kanałów i zapisuje, czyje one są",
        uk: "Передає серверу потік подій із каналів і записує, чиї вони",
    }
    /// Help of the stream.
    EventsHelp {
        en: "CSV with event_id, channel, channel_user_id, display_name, phone_raw, phone_source, email_raw, email_source",
        pl: "CSV z kolumnami event_id, channel, channel_user_id, display_name, phone_raw, phone_source, email_raw, email_source",
        uk: "CSV зі стовпцями event_id, channel, channel_user_id, display_name, phone_raw, phone_source, email_raw, email_source",
    }
    /// Help of `--predictions`.
    PredictionsHelp {
        en: "Where to write the contact of each event (CSV)",
        pl: "Gdzie zapisać kontakt każdego zdarzenia (CSV)",
        uk: "Куди записати контакт кожної події (CSV)",
    }
    /// Help of `--suggestions`.
    SuggestionsHelp {
        en: "Where to write pairs of contacts that are perhaps one (CSV)",
        pl: "Gdzie zapisać pary kontaktów, które mogą być jednym (CSV)",
        uk: "Куди записати пари контактів, які можуть бути одним (CSV)",
    }
    /// A stream was told.
    Replayed {
        en: "{events} events were told; {suggestions} pairs of contacts are perhaps one.",
        pl: "Przekazano zdarzenia: {events}; pary kontaktów, które mogą być jednym: {suggestions}.",
        uk: "Передано подій: {events}; пар контактів, які можуть бути одним: {suggestions}.",
    }
    /// Help of `--url`.
    UrlHelp { en: "Address of the server", pl: "Adres serwera", uk: "Адреса сервера" }
    /// Help of `--ca-file`.
    CaHelp {
        en: "PEM file with a certificate authority to trust beside the system's",
        pl: "Plik PEM z urzędem certyfikacji, któremu ufać obok systemowych",
        uk: "Файл PEM із центром сертифікації, якому довіряти поряд із системними",
    }
    /// Help of `--lang`.
    LangHelp {
        en: "Language of messages: en, pl or uk; by default that of the terminal",
        pl: "Język komunikatów: en, pl lub uk; domyślnie język terminala",
        uk: "Мова повідомлень: en, pl або uk; типово мова термінала",
    }
    /// Help of `--output`.
    OutputHelp { en: "Form of the output", pl: "Postać wyniku", uk: "Вигляд результату" }
    /// Help of `user`.
    UserHelp { en: "People's accounts", pl: "Konta ludzi", uk: "Облікові записи людей" }
    /// Help of `user create`.
    CreateHelp { en: "Make an account", pl: "Załóż konto", uk: "Створити обліковий запис" }
    /// Help of the name.
    NameHelp {
        en: "Name: the part of the address before the colon, such as anna",
        pl: "Nazwa: część adresu przed dwukropkiem, na przykład anna",
        uk: "Ім'я: частина адреси перед двокрапкою, наприклад anna",
    }
    /// Help of `--admin`.
    AdminHelp { en: "Make it an administrator", pl: "Nadaj uprawnienia administratora", uk: "Надати права адміністратора" }
    /// Help of `--display-name`.
    DisplayNameHelp { en: "Name that others see", pl: "Nazwa, którą widzą inni", uk: "Ім'я, яке бачать інші" }
    /// Help of `--password-stdin` where a password is generated otherwise.
    PasswordOrGeneratedHelp {
        en: "Read the password from standard input; otherwise one is generated and printed once",
        pl: "Czytaj hasło ze standardowego wejścia; inaczej hasło jest losowane i wypisywane raz",
        uk: "Читати пароль зі стандартного вводу; інакше пароль генерується і друкується один раз",
    }
    /// Help of `--password-stdin` where it has to be.
    PasswordHelp {
        en: "Read the password from standard input",
        pl: "Czytaj hasło ze standardowego wejścia",
        uk: "Читати пароль зі стандартного вводу",
    }
    /// Help of `user list`.
    ListHelp { en: "List all accounts", pl: "Wypisz wszystkie konta", uk: "Показати всі облікові записи" }
    /// Help of `report`.
    ReportHelp { en: "What people reported", pl: "Zgłoszenia od ludzi", uk: "Скарги людей" }
    /// Help of `report list`.
    ReportListHelp {
        en: "List reports of messages, rooms and people, newest first",
        pl: "Wypisz zgłoszenia wiadomości, pokojów i osób, od najnowszych",
        uk: "Показати скарги на повідомлення, кімнати й людей, від найновіших",
    }
    /// Help of `user lock`.
    LockHelp {
        en: "Lock an account: nothing is served to it until it is unlocked",
        pl: "Zablokuj konto: serwer nie obsługuje go aż do odblokowania",
        uk: "Заблокувати обліковий запис: сервер не обслуговує його до розблокування",
    }
    /// Help of `user unlock`.
    UnlockHelp { en: "Unlock an account", pl: "Odblokuj konto", uk: "Розблокувати обліковий запис" }
    /// Help of `user suspend`.
    SuspendHelp {
        en: "Suspend an account: it reads, but does nothing that others would see",
        pl: "Zawieś konto: może czytać, ale nie robi nic, co widzieliby inni",
        uk: "Призупинити обліковий запис: він читає, але не робить нічого, що бачили б інші",
    }
    /// Help of `user unsuspend`.
    UnsuspendHelp {
        en: "End the suspension of an account",
        pl: "Zakończ zawieszenie konta",
        uk: "Скасувати призупинення облікового запису",
    }
    /// Help of `user deactivate`.
    DeactivateHelp {
        en: "Close an account for good: it leaves all rooms, and its name stays taken",
        pl: "Zamknij konto na zawsze: opuszcza wszystkie pokoje, a jego nazwa pozostaje zajęta",
        uk: "Закрити обліковий запис назавжди: він покидає всі кімнати, а його ім'я лишається зайнятим",
    }
    /// Help of `--erase`.
    EraseHelp {
        en: "Do not show what it wrote to people who join later",
        pl: "Nie pokazuj tego, co napisało konto, ludziom, którzy dołączą później",
        uk: "Не показувати написаного тим, хто приєднається пізніше",
    }
    /// Help of `notice`.
    NoticeHelp { en: "Notices of the server", pl: "Komunikaty serwera", uk: "Повідомлення сервера" }
    /// Help of `notice send`.
    NoticeSendHelp {
        en: "Tell one person or everybody something in the name of the server",
        pl: "Przekaż coś jednej osobie albo wszystkim w imieniu serwera",
        uk: "Повідомити щось одній людині або всім від імені сервера",
    }
    /// Help of the text of a notice.
    NoticeTextHelp { en: "What to say", pl: "Treść komunikatu", uk: "Текст повідомлення" }
    /// Help of `--everybody`.
    EverybodyHelp {
        en: "Tell everybody who has an account",
        pl: "Przekaż wszystkim, którzy mają konto",
        uk: "Повідомити всіх, хто має обліковий запис",
    }
    /// Help of `setup`.
    SetupHelp {
        en: "Make the first administrator of a new server",
        pl: "Załóż pierwszego administratora nowego serwera",
        uk: "Створити першого адміністратора нового сервера",
    }
    /// Help of `--token-file`.
    TokenFileHelp {
        en: "File with the one-time token that the server wrote at its first start",
        pl: "Plik z jednorazowym tokenem, który serwer zapisał przy pierwszym starcie",
        uk: "Файл з одноразовим токеном, який сервер записав під час першого запуску",
    }
    /// Help of `login`.
    LoginHelp {
        en: "Log in and print an access token for KONTORCTL_TOKEN",
        pl: "Zaloguj się i wypisz token dostępu dla KONTORCTL_TOKEN",
        uk: "Увійти і надрукувати токен доступу для KONTORCTL_TOKEN",
    }
    /// No token in the environment.
    NoToken {
        en: "KONTORCTL_TOKEN is not set. Put an administrator's access token there; `kontorctl login NAME --password-stdin` prints one.",
        pl: "Brak zmiennej KONTORCTL_TOKEN. Umieść w niej token dostępu administratora; wypisuje go `kontorctl login NAZWA --password-stdin`.",
        uk: "Змінну KONTORCTL_TOKEN не задано. Помістіть туди токен доступу адміністратора; його друкує `kontorctl login ІМ'Я --password-stdin`.",
    }
    /// The address cannot be read.
    BadUrl { en: "\"{url}\" is not an address of a server.", pl: "\"{url}\" nie jest adresem serwera.", uk: "\"{url}\" не є адресою сервера." }
    /// A file cannot be read.
    BadFile { en: "The file {file} cannot be read: {error}.", pl: "Nie można odczytać pliku {file}: {error}.", uk: "Не вдається прочитати файл {file}: {error}." }
    /// The server cannot be reached.
    NoConnection {
        en: "The server at {url} cannot be reached: {error}. Is it running, and is --url right?",
        pl: "Nie można połączyć się z serwerem {url}: {error}. Czy działa i czy --url jest poprawny?",
        uk: "Не вдається з'єднатися із сервером {url}: {error}. Чи він працює і чи правильний --url?",
    }
    /// The answer is not what this version expects.
    BadAnswer {
        en: "The server at {url} answered in an unexpected way. Is it a Kontor of this version?",
        pl: "Serwer {url} odpowiedział w nieoczekiwany sposób. Czy to Kontor w tej wersji?",
        uk: "Сервер {url} відповів неочікувано. Чи це Kontor цієї версії?",
    }
    /// The token is not valid.
    TokenRefused {
        en: "The server does not accept the token: {error}",
        pl: "Serwer nie przyjmuje tokenu: {error}",
        uk: "Сервер не приймає токен: {error}",
    }
    /// The server refused.
    Refused { en: "The server refuses: {error}", pl: "Serwer odmawia: {error}", uk: "Сервер відмовляє: {error}" }
    /// The name is taken.
    NameTaken {
        en: "There is already an account named {name}.",
        pl: "Konto o nazwie {name} już istnieje.",
        uk: "Обліковий запис з ім'ям {name} вже існує.",
    }
    /// No password on standard input.
    EmptyPassword {
        en: "Standard input held no password.",
        pl: "Na standardowym wejściu nie było hasła.",
        uk: "На стандартному вводі не було пароля.",
    }
    /// The account exists now.
    Created { en: "Made {user}.", pl: "Założono {user}.", uk: "Створено {user}." }
    /// Its generated password.
    Generated {
        en: "Password, shown only now: {password}",
        pl: "Hasło, pokazywane tylko teraz: {password}",
        uk: "Пароль, показується лише зараз: {password}",
    }
    /// The first administrator exists now.
    SetUp {
        en: "{user} is now the administrator of this server.",
        pl: "{user} jest teraz administratorem tego serwera.",
        uk: "{user} тепер адміністратор цього сервера.",
    }
    /// The account is locked.
    LockedNow { en: "{user} is locked.", pl: "Konto {user} jest zablokowane.", uk: "{user} заблоковано." }
    /// The account is unlocked.
    UnlockedNow { en: "{user} is unlocked.", pl: "Konto {user} jest odblokowane.", uk: "{user} розблоковано." }
    /// The account is suspended.
    SuspendedNow { en: "{user} is suspended.", pl: "Konto {user} jest zawieszone.", uk: "{user} призупинено." }
    /// The account is suspended no longer.
    UnsuspendedNow {
        en: "{user} is suspended no longer.",
        pl: "Konto {user} nie jest już zawieszone.",
        uk: "{user} більше не призупинено.",
    }
    /// The account is closed.
    DeactivatedNow {
        en: "{user} is closed and is leaving its rooms.",
        pl: "Konto {user} jest zamknięte i opuszcza swoje pokoje.",
        uk: "{user} закрито; обліковий запис покидає свої кімнати.",
    }
    /// One person was told.
    NoticeSent { en: "The notice was sent.", pl: "Komunikat wysłano.", uk: "Повідомлення надіслано." }
    /// Everybody is being told.
    NoticeBegun {
        en: "The notice is on its way to everybody.",
        pl: "Komunikat jest wysyłany do wszystkich.",
        uk: "Повідомлення надсилається всім.",
    }
    /// Column: address.
    ColumnUser { en: "USER", pl: "UŻYTKOWNIK", uk: "КОРИСТУВАЧ" }
    /// Column: administrator or not.
    ColumnAdmin { en: "ADMINISTRATOR", pl: "ADMINISTRATOR", uk: "АДМІНІСТРАТОР" }
    /// Column: state of the account.
    ColumnState { en: "STATE", pl: "STAN", uk: "СТАН" }
    /// Column: when it was made.
    ColumnMade { en: "MADE (UTC)", pl: "ZAŁOŻONO (UTC)", uk: "СТВОРЕНО (UTC)" }
    /// Column: when somebody reported it.
    ColumnWhen { en: "WHEN (UTC)", pl: "KIEDY (UTC)", uk: "КОЛИ (UTC)" }
    /// Column: who reported it.
    ColumnReporter { en: "REPORTED BY", pl: "ZGŁASZA", uk: "СКАРЖИТЬСЯ" }
    /// Column: what was reported.
    ColumnReported { en: "REPORTED", pl: "ZGŁOSZONO", uk: "НА ЩО" }
    /// Column: of a message, its sender and room.
    ColumnOf { en: "SENDER AND ROOM", pl: "NADAWCA I POKÓJ", uk: "ВІДПРАВНИК І КІМНАТА" }
    /// Column: what the reporter says.
    ColumnReason { en: "REASON", pl: "POWÓD", uk: "ПРИЧИНА" }
    /// In a table.
    Yes { en: "yes", pl: "tak", uk: "так" }
    /// In a table.
    No { en: "no", pl: "nie", uk: "ні" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contacts::Said;

    #[test]
    fn every_text_has_the_same_words_to_fill_in_in_all_languages() {
        let texts = Text::ALL.iter().map(|text| {
            (
                format!("{text:?}"),
                [Language::English, Language::Polish, Language::Ukrainian].map(|language| text.of(language)),
            )
        });
        let said = Said::ALL.iter().map(|text| {
            (
                format!("{text:?}"),
                [Language::English, Language::Polish, Language::Ukrainian].map(|language| text.of(language)),
            )
        });
        for (name, [english, polish, ukrainian]) in texts.chain(said) {
            let words = |text: &'static str| {
                let mut found: Vec<&str> = text
                    .split('{')
                    .skip(1)
                    .filter_map(|rest| rest.split_once('}').map(|(word, _)| word))
                    .collect();
                found.sort_unstable();
                found
            };
            assert_eq!(words(english), words(polish), "{name}");
            assert_eq!(words(english), words(ukrainian), "{name}");
        }
    }
}
