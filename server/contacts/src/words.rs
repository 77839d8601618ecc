//! The words of cards and of answers to commands, in every language that Kontor speaks.

use kontor_model::Language;

/// The words of one language.
#[derive(Debug)]
#[allow(missing_docs)] // Named after what they say.
pub struct Words {
    pub stage: &'static str,
    pub owner: &'static str,
    pub status: &'static str,
    pub assignee: &'static str,
    pub nobody: &'static str,
    pub waits: &'static str,
    pub answered: &'static str,
    pub window: &'static str,
    pub closed_since: &'static str,
    pub never: &'static str,
    pub until: &'static str,
    pub claims: &'static str,
    pub tasks: &'static str,
    pub notes: &'static str,
    pub decision: &'static str,
    pub note: &'static str,
    pub task: &'static str,
    pub others: &'static str,
    pub card: &'static str,
    pub overdue: &'static str,
    pub files: &'static str,
    pub no_files: &'static str,
    pub found: &'static str,
    pub nothing_found: &'static str,
    pub show: &'static str,
    pub yours: &'static str,
    pub yours_already: &'static str,
    pub taken: &'static str,
    pub assigned: &'static str,
    pub unassigned: &'static str,
    pub no_employee: &'static str,
    pub status_set: &'static str,
    pub status_how: &'static str,
    pub moment_how: &'static str,
    pub noted: &'static str,
    pub decided: &'static str,
    pub task_added: &'static str,
    pub no_tasks: &'static str,
    pub task_done: &'static str,
    pub no_task: &'static str,
    pub what: &'static str,
    pub unknown: &'static str,
    pub hidden: &'static str,
    pub failed: &'static str,
    pub perhaps: &'static str,
    pub no_merge: &'static str,
    pub merge_how: &'static str,
    pub react_how: &'static str,
    pub merged: &'static str,
    pub apart: &'static str,
    pub already_one: &'static str,
    pub two_owners: &'static str,
    pub set_apart: &'static str,
    pub no_number: &'static str,
    pub undone: &'static str,
    pub nothing_to_undo: &'static str,
    pub split: &'static str,
    pub not_for_all: &'static str,
    pub help_title: &'static str,
    pub help: &'static [(&'static str, &'static str)],
}

static ENGLISH: Words = Words {
    stage: "Stage",
    owner: "Owner",
    status: "Status",
    assignee: "Assigned to",
    nobody: "nobody",
    waits: "Waits since",
    answered: "Last answered",
    window: "Answers reach the customer",
    closed_since: "ended",
    never: "never",
    until: "until",
    claims: "What is known",
    tasks: "To do",
    notes: "Notes and decisions",
    decision: "Decision",
    note: "Note",
    task: "Task",
    others: "Other conversations",
    card: "Whole card",
    overdue: "overdue",
    files: "Files",
    no_files: "There are no files in this conversation.",
    found: "Found",
    nothing_found: "Nothing was found.",
    show: "show",
    yours: "The conversation is yours.",
    yours_already: "The conversation is yours already.",
    taken: "The conversation belongs to {who}. To take it over: !assign me",
    assigned: "The conversation is with {who} now.",
    unassigned: "Nobody has the conversation now.",
    no_employee: "There is no such employee. Write their id, such as !assign @anna",
    status_set: "Status: {status}.",
    status_how: "Write a status: !status open, pending, closed, or snoozed 2h.",
    moment_how: "Until when? For example: !status snoozed 2h, tomorrow 9:00, or 2026-12-24.",
    noted: "Noted on the card.",
    decided: "The decision is on the card.",
    task_added: "The task is on the card.",
    no_tasks: "There is nothing to do. To add something: !task text @person 2026-12-24",
    task_done: "Done: {task}",
    no_task: "There is no such task. !task lists what is to be done.",
    what: "What? Write it behind the command, such as {example}",
    unknown: "I do not know !{word}. !help tells what there is.",
    hidden: "You may not see this contact.",
    failed: "That did not work: {why}",
    perhaps: "Perhaps the same person",
    no_merge: "Nobody is suggested here. To look for somebody: !merge and a name, a number or an address",
    merge_how: "!merge {n} makes them one contact, !merge {n} no says that they are different people.",
    react_how: "✅ makes them one contact, ❌ says that they are different people. Or write !merge {n}, or !merge {n} no.",
    merged: "One contact now: {name}. !undo takes it back.",
    apart: "Noted: these are different people. It will not be suggested again.",
    already_one: "These are one contact already.",
    two_owners: "Two people own them: {a} and {b}. Say whose they are to be: !merge {n} @person",
    set_apart: "Somebody said that these are different people. If they are one: !merge {n} yes",
    no_number: "There is no number {n} here. !merge lists who it could be.",
    undone: "Apart again: {from} and {into}.",
    nothing_to_undo: "There is nothing to undo: this contact is not made of several.",
    split: "Whoever writes here has a card of their own now. Nothing moved: answers go where they went before.",
    not_for_all: "Not everybody here may see all who fit; the card shows them to those who may.",
    help_title: "Commands. They work here only, and the customer never sees them.",
    help: &[
        ("!card", "what is known about the customer"),
        ("!mine", "take the conversation"),
        ("!assign @person", "give the conversation to somebody; !assign nobody gives it back"),
        ("!status open | pending | closed | snoozed 2h", "set the status"),
        ("!note text", "write a note onto the card"),
        ("!decision text", "write a decision onto the card"),
        ("!task text @person 2026-12-24", "something to do; without a text, what there is"),
        ("!done 1", "a task was done"),
        ("!files", "the newest files, with links"),
        ("!search words", "messages of this customer"),
        ("!merge", "who may be the same person; !merge 1 makes them one contact"),
        ("!undo", "take the last merge back"),
        ("!split", "whoever writes here is somebody else: a card of their own"),
        ("!order 727", "the customer's orders, or one of them"),
        ("!ask phone", "ask the customer for phone, email, name, address or vat"),
        ("!via telegram", "another conversation with this customer; without a word, which there are"),
    ],
};

static POLISH: Words = Words {
    stage: "Etap",
    owner: "Opiekun",
    status: "Status",
    assignee: "Prowadzi",
    nobody: "nikt",
    waits: "Czeka od",
    answered: "Ostatnia odpowiedź",
    window: "Odpowiedź dotrze",
    closed_since: "minęło",
    never: "jeszcze nie",
    until: "do",
    claims: "Co wiemy",
    tasks: "Do zrobienia",
    notes: "Notatki i decyzje",
    decision: "Decyzja",
    note: "Notatka",
    task: "Zadanie",
    others: "Inne rozmowy",
    card: "Cała karta",
    overdue: "po terminie",
    files: "Pliki",
    no_files: "W tej rozmowie nie ma plików.",
    found: "Znaleziono",
    nothing_found: "Nic nie znaleziono.",
    show: "pokaż",
    yours: "Rozmowa jest Twoja.",
    yours_already: "Rozmowa już jest Twoja.",
    taken: "Rozmowę prowadzi {who}. Aby ją przejąć: !przypisz mnie",
    assigned: "Rozmowę prowadzi teraz {who}.",
    unassigned: "Rozmowy nikt teraz nie prowadzi.",
    no_employee: "Nie ma takiego pracownika. Podaj identyfikator, na przykład !przypisz @anna",
    status_set: "Status: {status}.",
    status_how: "Podaj status: !status otwarta, oczekuje, zamknięta albo odłóż 2h.",
    moment_how: "Do kiedy? Na przykład: !status odłóż 2h, jutro 9:00 albo 24.12.2026.",
    noted: "Notatka jest na karcie.",
    decided: "Decyzja jest na karcie.",
    task_added: "Zadanie jest na karcie.",
    no_tasks: "Nie ma nic do zrobienia. Aby coś dodać: !zadanie treść @osoba 24.12.2026",
    task_done: "Zrobione: {task}",
    no_task: "Nie ma takiego zadania. !zadanie pokazuje, co jest do zrobienia.",
    what: "Co? Napisz to za poleceniem, na przykład {example}",
    unknown: "Nie znam polecenia !{word}. !pomoc pokazuje, co jest.",
    hidden: "Nie masz dostępu do tego kontaktu.",
    failed: "Nie udało się: {why}",
    perhaps: "Może to ta sama osoba",
    no_merge: "Nikogo tu nie podpowiadam. Aby kogoś poszukać: !scal i nazwa, numer albo adres",
    merge_how: "!scal {n} łączy w jeden kontakt, !scal {n} nie zapamiętuje, że to różne osoby.",
    react_how: "✅ łączy w jeden kontakt, ❌ zapamiętuje, że to różne osoby. Albo napisz !scal {n} lub !scal {n} nie.",
    merged: "Teraz to jeden kontakt: {name}. !cofnij rozdziela z powrotem.",
    apart: "Zapamiętane: to różne osoby. Nie podpowiem tego ponownie.",
    already_one: "To już jeden kontakt.",
    two_owners: "Mają dwóch opiekunów: {a} i {b}. Podaj, czyj ma być kontakt: !scal {n} @osoba",
    set_apart: "Ktoś stwierdził, że to różne osoby. Jeśli to jednak ta sama: !scal {n} tak",
    no_number: "Nie ma tu numeru {n}. !scal pokazuje, kto to może być.",
    undone: "Znowu osobno: {from} i {into}.",
    nothing_to_undo: "Nie ma czego cofnąć: ten kontakt nie powstał z kilku.",
    split: "Ta osoba ma teraz własną kartę. Nic się nie przeniosło: odpowiedzi idą tam, gdzie dotąd.",
    not_for_all: "Nie wszyscy tutaj mogą widzieć wszystkich pasujących; karta pokazuje ich tym, którzy mogą.",
    help_title: "Polecenia. Działają tylko tutaj, klient nigdy ich nie widzi.",
    help: &[
        ("!karta", "co wiemy o kliencie"),
        ("!moje", "biorę rozmowę"),
        ("!przypisz @osoba", "oddaj rozmowę komuś; !przypisz nikt odkłada ją do kolejki"),
        ("!status otwarta | oczekuje | zamknięta | odłóż 2h", "ustaw status"),
        ("!notatka treść", "zapisz notatkę na karcie"),
        ("!decyzja treść", "zapisz decyzję na karcie"),
        ("!zadanie treść @osoba 24.12.2026", "coś do zrobienia; bez treści: co jest do zrobienia"),
        ("!zrobione 1", "zadanie wykonane"),
        ("!pliki", "najnowsze pliki z odnośnikami"),
        ("!szukaj słowa", "wiadomości tego klienta"),
        ("!scal", "kto może być tą samą osobą; !scal 1 łączy w jeden kontakt"),
        ("!cofnij", "rozdziel to, co ostatnio połączono"),
        ("!rozdziel", "tu pisze ktoś inny: osobna karta dla tej rozmowy"),
        ("!zamowienie 727", "zamówienia klienta albo jedno z nich"),
        ("!popros telefon", "poproś klienta o telefon, email, imie, adres albo nip"),
        ("!przez telegram", "inna rozmowa z tym klientem; bez słowa: jakie są"),
    ],
};

static UKRAINIAN: Words = Words {
    stage: "Етап",
    owner: "Опікун",
    status: "Статус",
    assignee: "Веде",
    nobody: "ніхто",
    waits: "Чекає від",
    answered: "Остання відповідь",
    window: "Відповідь дійде",
    closed_since: "минуло",
    never: "ще не було",
    until: "до",
    claims: "Що відомо",
    tasks: "Зробити",
    notes: "Нотатки й рішення",
    decision: "Рішення",
    note: "Нотатка",
    task: "Завдання",
    others: "Інші розмови",
    card: "Уся картка",
    overdue: "прострочено",
    files: "Файли",
    no_files: "У цій розмові немає файлів.",
    found: "Знайдено",
    nothing_found: "Нічого не знайдено.",
    show: "показати",
    yours: "Розмова ваша.",
    yours_already: "Розмова вже ваша.",
    taken: "Розмову веде {who}. Щоб перебрати її: !призначити мені",
    assigned: "Розмову тепер веде {who}.",
    unassigned: "Розмову тепер ніхто не веде.",
    no_employee: "Такого працівника немає. Напишіть ідентифікатор, наприклад !призначити @anna",
    status_set: "Статус: {status}.",
    status_how: "Напишіть статус: !статус відкрита, очікує, закрита або відкласти 2 год.",
    moment_how: "До коли? Наприклад: !статус відкласти 2 год, завтра 9:00 або 24.12.2026.",
    noted: "Нотатка на картці.",
    decided: "Рішення на картці.",
    task_added: "Завдання на картці.",
    no_tasks: "Робити нічого. Щоб додати: !завдання текст @особа 24.12.2026",
    task_done: "Зроблено: {task}",
    no_task: "Такого завдання немає. !завдання показує, що зробити.",
    what: "Що? Напишіть це після команди, наприклад {example}",
    unknown: "Не знаю команди !{word}. !допомога показує, що є.",
    hidden: "Ви не маєте доступу до цього контакту.",
    failed: "Не вдалося: {why}",
    perhaps: "Можливо, це та сама особа",
    no_merge: "Нікого не пропоную. Щоб пошукати: !об’єднати та ім’я, номер або адреса",
    merge_how: "!об’єднати {n} робить один контакт, !об’єднати {n} ні запам’ятовує, що це різні люди.",
    react_how: "✅ робить один контакт, ❌ запам’ятовує, що це різні люди. Або напишіть !об’єднати {n} чи !об’єднати {n} ні.",
    merged: "Тепер це один контакт: {name}. !скасувати розділяє знову.",
    apart: "Запам’ятовано: це різні люди. Більше не пропонуватиму.",
    already_one: "Це вже один контакт.",
    two_owners: "Вони мають двох опікунів: {a} і {b}. Напишіть, чий має бути контакт: !об’єднати {n} @особа",
    set_apart: "Хтось сказав, що це різні люди. Якщо все ж одна: !об’єднати {n} так",
    no_number: "Номера {n} тут немає. !об’єднати показує, хто це може бути.",
    undone: "Знову окремо: {from} і {into}.",
    nothing_to_undo: "Немає чого скасовувати: цей контакт не складено з кількох.",
    split: "Ця людина тепер має власну картку. Ніщо не перемістилося: відповіді йдуть туди ж, що й раніше.",
    not_for_all: "Не всі тут можуть бачити всіх, хто підходить; картка показує їх тим, хто може.",
    help_title: "Команди. Вони діють лише тут, клієнт їх ніколи не бачить.",
    help: &[
        ("!картка", "що відомо про клієнта"),
        ("!моє", "беру розмову"),
        ("!призначити @особа", "передати розмову комусь; !призначити ніхто повертає її в чергу"),
        ("!статус відкрита | очікує | закрита | відкласти 2 год", "встановити статус"),
        ("!нотатка текст", "записати нотатку на картку"),
        ("!рішення текст", "записати рішення на картку"),
        ("!завдання текст @особа 24.12.2026", "що зробити; без тексту: що є"),
        ("!зроблено 1", "завдання виконано"),
        ("!файли", "найновіші файли з посиланнями"),
        ("!пошук слова", "повідомлення цього клієнта"),
        ("!об’єднати", "хто може бути тією самою особою; !об’єднати 1 робить один контакт"),
        ("!скасувати", "розділити те, що об’єднано востаннє"),
        ("!розділити", "тут пише хтось інший: окрема картка для цієї розмови"),
        ("!замовлення 727", "замовлення клієнта або одне з них"),
        ("!попросити телефон", "попросити в клієнта телефон, пошту, ім’я, адресу або ІПН"),
        ("!через telegram", "інша розмова з цим клієнтом; без слова: які є"),
    ],
};

/// The words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::English => &ENGLISH,
        Language::Polish => &POLISH,
        Language::Ukrainian => &UKRAINIAN,
    }
}

/// One of three, by language.
pub(crate) fn one(language: Language, words: [&'static str; 3]) -> &'static str {
    let [english, polish, ukrainian] = words;
    match language {
        Language::English => english,
        Language::Polish => polish,
        Language::Ukrainian => ukrainian,
    }
}

/// What a status is called.
pub fn status(language: Language, status: &str) -> &'static str {
    let words = match status {
        "pending" => ["pending", "oczekuje", "очікує"],
        "snoozed" => ["snoozed", "odłożona", "відкладена"],
        "closed" => ["closed", "zamknięta", "закрита"],
        _ => ["open", "otwarta", "відкрита"],
    };
    one(language, words)
}

/// What a stage is called.
pub fn stage(language: Language, stage: &str) -> &'static str {
    let words = match stage {
        "lead" => ["lead", "zainteresowany", "зацікавлений"],
        "customer" => ["customer", "klient", "клієнт"],
        _ => ["visitor", "gość", "гість"],
    };
    one(language, words)
}

/// Why two contacts may be one, or not.
pub fn reason(language: Language, what: &str) -> &'static str {
    let words = match what {
        "name_same" => ["a word of the name is the same", "to samo słowo w nazwie", "однакове слово в імені"],
        "name_alike" => [
            "a word of the name is almost the same",
            "prawie to samo słowo w nazwie",
            "майже однакове слово в імені",
        ],
        "name_short" => ["a short form of the name", "zdrobnienie imienia", "скорочена форма імені"],
        "name_initial" => ["an initial agrees", "zgadza się inicjał", "збігається ініціал"],
        "name_differs" => ["a word of the name differs", "inne słowo w nazwie", "інше слово в імені"],
        "name_in_address" => ["an address holds the name", "adres zawiera nazwę", "адреса містить ім’я"],
        "key_same" => ["the same number or address", "ten sam numer lub adres", "той самий номер чи адреса"],
        "key_alike" => [
            "almost the same number or address",
            "prawie ten sam numer lub adres",
            "майже той самий номер чи адреса",
        ],
        "second_id" => [
            "both have an id where people have one",
            "oba mają konto tam, gdzie ludzie mają jedno",
            "обидва мають обліковий запис там, де люди мають один",
        ],
        _ => ["others fit as well", "inni też pasują", "інші теж підходять"],
    };
    one(language, words)
}

/// How far something is to be believed.
pub fn trust(language: Language, trust: i64) -> &'static str {
    let words = match trust {
        3 => ["proven", "potwierdzone", "підтверджено"],
        2 => ["from the network", "z sieci", "з мережі"],
        1 => ["unaligned", "bez potwierdzenia", "без підтвердження"],
        _ => ["only claimed", "tylko podane", "лише вказано"],
    };
    one(language, words)
}

/// Where something comes from.
pub fn source(language: Language, source: &str) -> &'static str {
    let words = match source {
        "customer" => ["the customer", "klient", "клієнт"],
        "network" => ["the network", "sieć", "мережа"],
        "form" => ["a form", "formularz", "форма"],
        "shop" => ["our systems", "nasze systemy", "наші системи"],
        "import" => ["an import", "import", "імпорт"],
        _ => ["an employee", "pracownik", "працівник"],
    };
    one(language, words)
}

/// What a field or a kind of claim is called; others are shown as they are.
pub fn field(language: Language, field: &str) -> String {
    let words = match field {
        "display_name" | "name" => ["Name", "Nazwa", "Ім’я"],
        "phone" => ["Phone", "Telefon", "Телефон"],
        "email" => ["E-mail", "E-mail", "E-mail"],
        "language" => ["Language", "Język", "Мова"],
        "page" => ["Page", "Strona", "Сторінка"],
        "vat" => ["VAT number", "NIP", "ЄДРПОУ / ІПН"],
        "customer_no" => ["Customer number", "Numer klienta", "Номер клієнта"],
        other => return other.replace('_', " "),
    };
    one(language, words).to_owned()
}

/// A value of a field as people read it: languages by their own names.
pub fn value<'a>(field: &str, value: &'a str) -> &'a str {
    match (field, value) {
        ("language", "pl") => "polski",
        ("language", "uk") => "українська",
        ("language", "en") => "English",
        _ => value,
    }
}

/// A number of bytes as people read it.
pub fn size(language: Language, bytes: u64) -> String {
    let units = match language {
        Language::Ukrainian => ["Б", "кБ", "МБ", "ГБ"],
        _ => ["B", "kB", "MB", "GB"],
    };
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = units.first();
    for larger in units.iter().skip(1) {
        if tenths < 10_000 {
            break;
        }
        tenths = tenths.div_ceil(1000);
        unit = Some(larger);
    }
    let mark = if language == Language::English { '.' } else { ',' };
    let rest =
        if tenths % 10 == 0 || tenths >= 100 { String::new() } else { format!("{mark}{}", tenths % 10) };
    format!("{}{rest} {}", tenths / 10, unit.copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command;

    #[test]
    fn sizes_are_short() {
        let shown = [(0, "0 B"), (999, "999 B"), (1_000, "1 kB"), (1_450, "1.5 kB"), (12_345, "12 kB")];
        for (bytes, text) in shown.into_iter().chain([(2_600_000, "2.6 MB"), (7_000_000_000_000, "7000 GB")])
        {
            assert_eq!(size(Language::English, bytes), text);
        }
        assert_eq!(size(Language::Ukrainian, 1_450), "1,5 кБ");
    }

    #[test]
    fn every_language_explains_every_command_by_its_own_words() {
        for language in [Language::English, Language::Polish, Language::Ukrainian] {
            let words = of(language);
            assert_eq!(words.help.len(), of(Language::English).help.len());
            let mut acts = Vec::new();
            for (example, _) in words.help {
                let order = command::read(example).unwrap();
                acts.push(order.act.unwrap_or_else(|| panic!("{example}")));
                assert!(order.language.is_none_or(|spoken| spoken == language), "{example}");
            }
            acts.dedup();
            assert_eq!(acts.len(), words.help.len());
            for hint in [words.taken, words.no_employee, words.no_tasks, words.no_task, words.unknown] {
                for (at, _) in hint.match_indices('!').filter(|(at, _)| !hint[*at..].starts_with("!{")) {
                    assert!(command::read(&hint[at..]).unwrap().act.is_some(), "{hint}");
                }
            }
        }
    }
}
