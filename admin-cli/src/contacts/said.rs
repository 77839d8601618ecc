//! What a person reads of contacts coming and going, in all three languages.

use crate::language::Language;
use crate::texts::texts;

texts! { Said:
    /// Help of `contacts import`.
    ImportHelp {
        en: "Takes contacts out of a file; the same command again goes on where it stopped",
        pl: "Wczytuje kontakty z pliku; to samo polecenie ponownie rusza tam, gdzie przerwano",
        uk: "Бере контакти з файлу; та сама команда ще раз продовжує з місця, де зупинилася",
    }
    /// Help of the file.
    ImportFileHelp {
        en: "CSV with a first line of column names, or vCards (.vcf) of version 3.0 or 4.0",
        pl: "CSV z nazwami kolumn w pierwszym wierszu albo wizytówki (.vcf) w wersji 3.0 lub 4.0",
        uk: "CSV із назвами стовпців у першому рядку або візитки (.vcf) версії 3.0 чи 4.0",
    }
    /// Help of `--dry-run`.
    DryRunHelp {
        en: "Write nothing; say what would become of the rows",
        pl: "Niczego nie zapisuj; powiedz, co stałoby się z wierszami",
        uk: "Нічого не записувати; сказати, що сталося б із рядками",
    }
    /// Help of `--attach`.
    AttachHelp {
        en: "Add a row to the contact that holds its number or address, where that is certain",
        pl: "Dołącz wiersz do kontaktu, który ma jego numer lub adres, jeśli to pewne",
        uk: "Додати рядок до контакту, який має його номер чи адресу, якщо це певно",
    }
    /// Help of `--mapping`.
    MappingHelp {
        en: "JSON file that says which column is what",
        pl: "Plik JSON, który mówi, która kolumna jest czym",
        uk: "Файл JSON, що каже, який стовпець чим є",
    }
    /// Help of `--rejected`.
    RejectedHelp {
        en: "Where to write the rows that were not taken, with the reasons",
        pl: "Gdzie zapisać wiersze, których nie przyjęto, z powodami",
        uk: "Куди записати неприйняті рядки з причинами",
    }
    /// Help of `--import-id`.
    ImportIdHelp {
        en: "Name of the import: each of its rows is taken once; by default a digest of the file",
        pl: "Nazwa importu: każdy jego wiersz przyjmowany jest raz; domyślnie skrót pliku",
        uk: "Назва імпорту: кожен його рядок береться один раз; типово дайджест файлу",
    }
    /// Help of `contacts export`.
    ExportHelp {
        en: "Writes down the contacts that you may see, as an import takes them",
        pl: "Zapisuje kontakty, które możesz widzieć, tak jak przyjmuje je import",
        uk: "Записує контакти, які вам видно, так, як їх бере імпорт",
    }
    /// Help of `--to`.
    ExportToHelp {
        en: "Where to write; by default to the standard output",
        pl: "Gdzie zapisać; domyślnie na standardowe wyjście",
        uk: "Куди записати; типово на стандартний вивід",
    }
    /// A mapping names a field that there is not.
    UnknownField {
        en: "The mapping names a field that there is not: {field}. There are: {known}.",
        pl: "Mapowanie wymienia nieznane pole: {field}. Znane pola: {known}.",
        uk: "Відповідність називає невідоме поле: {field}. Відомі поля: {known}.",
    }
    /// No column says who it is.
    NoColumns {
        en: "No column of the file is known to be a name, a number or an address: {columns}. Say which is what in a mapping file (--mapping).",
        pl: "Żadna kolumna pliku nie jest znana jako nazwa, numer ani adres: {columns}. Wskaż, która jest czym, w pliku mapowania (--mapping).",
        uk: "Жоден стовпець файлу не відомий як ім'я, номер чи адреса: {columns}. Укажіть у файлі відповідності, який чим є (--mapping).",
    }
    /// A column is not taken.
    ColumnLeftOut {
        en: "The column {column} is not known and is left out.",
        pl: "Kolumna {column} nie jest znana i zostaje pominięta.",
        uk: "Стовпець {column} невідомий, його пропущено.",
    }
    /// How far an import is.
    Progress { en: "{done} of {all} rows", pl: "wiersze: {done} z {all}", uk: "рядків: {done} з {all}" }
    /// A value does not exist.
    LeftOut {
        en: "Row {row}: {value} is left out: there is no such {field}.",
        pl: "Wiersz {row}: pominięto {value}: nie istnieje ({field}).",
        uk: "Рядок {row}: пропущено {value}: такого немає ({field}).",
    }
    /// A row was not taken.
    RowRejected { en: "Row {row} was not taken: {why}", pl: "Wiersza {row} nie przyjęto: {why}", uk: "Рядок {row} не прийнято: {why}" }
    /// Somebody holds it.
    RowHeld {
        en: "Somebody holds the number or address already. Name the contact in a column contact_id, or say in override_reason why it is another one.",
        pl: "Ktoś ma już ten numer lub adres. Podaj kontakt w kolumnie contact_id albo napisz w override_reason, dlaczego to ktoś inny.",
        uk: "Хтось уже має цей номер чи адресу. Назвіть контакт у стовпці contact_id або поясніть в override_reason, чому це інша особа.",
    }
    /// Somebody is called alike.
    RowAlike {
        en: "Somebody is called alike, and nothing tells them apart. Name the contact in a column contact_id, or say in override_reason why it is another one.",
        pl: "Ktoś nazywa się tak samo i nic ich nie odróżnia. Podaj kontakt w kolumnie contact_id albo napisz w override_reason, dlaczego to ktoś inny.",
        uk: "Когось звати так само, і їх ніщо не розрізняє. Назвіть контакт у стовпці contact_id або поясніть в override_reason, чому це інша особа.",
    }
    /// Nothing in it.
    RowEmpty {
        en: "It has no name, and no number or address that exists.",
        pl: "Nie ma nazwy ani istniejącego numeru lub adresu.",
        uk: "Немає ні імені, ні номера чи адреси, що існує.",
    }
    /// The owner is nobody.
    RowOwner {
        en: "The owner is no account of this server; write the whole user id.",
        pl: "Opiekun nie ma konta na tym serwerze; wpisz pełny identyfikator użytkownika.",
        uk: "Відповідальний не має облікового запису на цьому сервері; напишіть повний ідентифікатор користувача.",
    }
    /// A value that cannot be taken; the server says why in English, with the name of the field.
    RowBadValue {
        en: "A value of it cannot be taken. The server says: {error}",
        pl: "Nie można przyjąć jednej z wartości. Serwer podaje: {error}",
        uk: "Одне зі значень не можна взяти. Сервер каже: {error}",
    }
    /// A consent that is none.
    RowConsent {
        en: "A consent of it cannot be taken: it must be given or withdrawn, and a given one needs a day of the past and the version of the text that was shown.",
        pl: "Nie można przyjąć jego zgody: musi być udzielona albo wycofana (given, withdrawn), a udzielona potrzebuje daty z przeszłości i wersji pokazanego tekstu.",
        uk: "Його згоду не можна взяти: вона має бути надана або відкликана (given, withdrawn), а надана потребує дати з минулого й версії показаного тексту.",
    }
    /// A consent that was withdrawn here.
    ConsentLeftOut {
        en: "Row {row}: the consent {value} is left out: the person took it back. It holds again when the person consents anew.",
        pl: "Wiersz {row}: pominięto zgodę {value}: ta osoba ją wycofała. Będzie obowiązywać, gdy udzieli jej ponownie.",
        uk: "Рядок {row}: згоду {value} пропущено: ця людина її відкликала. Вона діятиме, коли людина надасть її знову.",
    }
    /// Consents that an import took.
    Consents {
        en: "Consents: given {given}, withdrawn {withdrawn}.",
        pl: "Zgody: udzielone {given}, wycofane {withdrawn}.",
        uk: "Згоди: надано {given}, відкликано {withdrawn}.",
    }
    /// A card of another version.
    CardVersion {
        en: "It is no vCard of version 3.0 or 4.0. Export it anew in one of them.",
        pl: "To nie jest wizytówka w wersji 3.0 ani 4.0. Wyeksportuj ją ponownie w jednej z nich.",
        uk: "Це не візитка версії 3.0 чи 4.0. Експортуйте її знову в одній із них.",
    }
    /// A card that is none.
    CardForm {
        en: "It is not written as vCards are: a line is no property, or the end is missing.",
        pl: "Nie jest zapisana jak wizytówka: wiersz nie jest właściwością albo brakuje końca.",
        uk: "Записано не так, як візитки: рядок не є властивістю або бракує кінця.",
    }
    /// What an import did.
    Imported {
        en: "New: {new}, new and perhaps known: {suggested}, updated: {updated}, unchanged: {unchanged}, taken before: {taken}, rejected: {rejected}.",
        pl: "Nowe: {new}, nowe i być może znane: {suggested}, uzupełnione: {updated}, bez zmian: {unchanged}, przyjęte wcześniej: {taken}, odrzucone: {rejected}.",
        uk: "Нових: {new}, нових і, можливо, відомих: {suggested}, доповнено: {updated}, без змін: {unchanged}, узято раніше: {taken}, відхилено: {rejected}.",
    }
    /// What an import would do.
    WouldImport {
        en: "Nothing was written. Would be new: {new}, new and perhaps known: {suggested}, updated: {updated}, unchanged: {unchanged}, taken before: {taken}, rejected: {rejected}.",
        pl: "Niczego nie zapisano. Byłoby nowych: {new}, nowych i być może znanych: {suggested}, uzupełnionych: {updated}, bez zmian: {unchanged}, przyjętych wcześniej: {taken}, odrzuconych: {rejected}.",
        uk: "Нічого не записано. Було б нових: {new}, нових і, можливо, відомих: {suggested}, доповнених: {updated}, без змін: {unchanged}, узятих раніше: {taken}, відхилених: {rejected}.",
    }
    /// Some rows were not taken.
    SomeRejected {
        en: "{count} rows were not taken. Write them down with --rejected, correct them and import that file.",
        pl: "Nie przyjęto wierszy: {count}. Zapisz je opcją --rejected, popraw i zaimportuj ten plik.",
        uk: "Не прийнято рядків: {count}. Запишіть їх за допомогою --rejected, виправте й імпортуйте той файл.",
    }
    /// What was exported.
    Exported { en: "{count} contacts were written to {file}.", pl: "Zapisano kontakty w pliku {file}: {count}.", uk: "Контактів записано у файл {file}: {count}." }
    /// Help of `contacts quality`.
    QualityHelp { en: "Reports on the quality of what is known of contacts", pl: "Raporty o jakości danych kontaktów", uk: "Звіти про якість даних контактів" }
    /// Help of `contacts quality show`.
    QualityShowHelp { en: "List the reports, or show one", pl: "Pokaż listę raportów albo jeden z nich", uk: "Показати список звітів або один із них" }
    /// Help of `contacts quality make`.
    QualityMakeHelp { en: "Make a report now", pl: "Sporządź raport teraz", uk: "Скласти звіт зараз" }
    /// Help of `contacts quality assign`.
    QualityAssignHelp { en: "Give a report to somebody", pl: "Przydziel komuś raport", uk: "Доручити комусь звіт" }
    /// Help of `contacts quality sign-off`.
    QualitySignHelp { en: "Sign a report off", pl: "Zatwierdź raport", uk: "Затвердити звіт" }
    /// Help of `--note`.
    QualityNoteHelp { en: "What is to be said of it", pl: "Uwagi", uk: "Примітка" }
    /// Help of a report's id.
    ReportIdHelp { en: "Id of the report", pl: "Identyfikator raportu", uk: "Ідентифікатор звіту" }
    /// Column: id of a report.
    ColumnReport { en: "REPORT", pl: "RAPORT", uk: "ЗВІТ" }
    /// Column: month.
    ColumnMonth { en: "MONTH", pl: "MIESIĄC", uk: "МІСЯЦЬ" }
    /// Column: who is to look at it.
    ColumnAssignee { en: "ASSIGNED TO", pl: "PRZYDZIELONO", uk: "ДОРУЧЕНО" }
    /// Column: when it was signed off.
    ColumnSigned { en: "SIGNED OFF", pl: "ZATWIERDZONO", uk: "ЗАТВЕРДЖЕНО" }
    /// Column: who signed it off.
    ColumnSigner { en: "BY", pl: "PRZEZ", uk: "КИМ" }
    /// Figure of a report.
    QualityContacts { en: "Contacts", pl: "Kontakty", uk: "Контактів" }
    /// Figure of a report.
    QualityByKey { en: "Pairs that share a personal number or address", pl: "Pary z tym samym osobistym numerem lub adresem", uk: "Пар зі спільним особистим номером чи адресою" }
    /// Figure of a report.
    QualitySuggested { en: "Pairs that are perhaps one", pl: "Pary, które mogą być jednym kontaktem", uk: "Пар, що можуть бути одним контактом" }
    /// Figure of a report.
    QualityNoKey { en: "Without number and address", pl: "Bez numeru i adresu", uk: "Без номера й адреси" }
    /// Figure of a report.
    QualityNoConsent { en: "Without any consent", pl: "Bez żadnej zgody", uk: "Без жодної згоди" }
    /// Figure of a report.
    QualityNoOwner { en: "Without owner", pl: "Bez opiekuna", uk: "Без відповідального" }
    /// Figure of a report.
    QualityImpossible { en: "Numbers that do not exist", pl: "Numery, które nie istnieją", uk: "Номерів, яких не існує" }
    /// Figure of a report.
    QualityContested { en: "Numbers and addresses of two people", pl: "Numery i adresy dwóch osób", uk: "Номерів і адрес двох людей" }
    /// Figure of a report.
    QualityOverrides { en: "Made although others stood in the way", pl: "Utworzone mimo podobnych", uk: "Створено попри схожі" }
    /// Figure of a report.
    QualityUndone { en: "Merges undone", pl: "Cofnięte scalenia", uk: "Скасованих об’єднань" }
}
