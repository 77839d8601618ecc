//! The words of letters.

use super::Cause;
use kontor_model::Language;

/// The words of one letter; `{server}` is the server's name.
pub(super) struct Texts {
    pub subject: &'static str,
    pub lead: &'static str,
    pub button: &'static str,
    pub hint: &'static str,
}

/// The words of all letters in one language.
pub(super) struct Common {
    pub greeting: &'static str,
    pub or_link: &'static str,
    pub life: &'static str,
}

pub(super) fn common(language: Language) -> &'static Common {
    match language {
        Language::English => &Common {
            greeting: "Hello,",
            or_link: "Or open this address:",
            life: "The link works for 24 hours.",
        },
        Language::Polish => &Common {
            greeting: "Dzień dobry,",
            or_link: "Albo otwórz ten adres:",
            life: "Odnośnik działa przez 24 godziny.",
        },
        Language::Ukrainian => &Common {
            greeting: "Вітаємо!",
            or_link: "Або відкрийте цю адресу:",
            life: "Посилання діє 24 години.",
        },
    }
}

pub(super) fn of(cause: Cause, language: Language) -> &'static Texts {
    match language {
        Language::English => english(cause),
        Language::Polish => polish(cause),
        Language::Ukrainian => ukrainian(cause),
    }
}

fn english(cause: Cause) -> &'static Texts {
    match cause {
        Cause::Add => &Texts {
            subject: "Confirm your e-mail address for {server}",
            lead: "This address is to be added to an account on {server}. Confirm that it is yours:",
            button: "Confirm the address",
            hint: "If you did not ask for this, do nothing: without your confirmation the address is not added.",
        },
        Cause::Register => &Texts {
            subject: "Confirm your e-mail address for your new account on {server}",
            lead: "Somebody is making an account on {server} with this address. If it is you, confirm the address:",
            button: "Confirm the address",
            hint: "If you did not ask for this, do nothing: the account is not made.",
        },
        Cause::Reset => &Texts {
            subject: "A new password for your account on {server}",
            lead: "Somebody wants to set a new password for your account on {server}. If it is you, allow it:",
            button: "Allow a new password",
            hint: "If it was not you, do not open the link: your password stays as it is. If such mails come again, \
                   tell your administrator.",
        },
        Cause::Taken => &Texts {
            subject: "You have an account on {server} already",
            lead: "Somebody entered this address on {server}, to make an account or to add the address to one. It \
                   belongs to an account there already, so nothing was changed.",
            button: "",
            hint: "If it was you: log in with this address and your password. If you forgot the password, have it \
                   reset. If it was not you, you need not do anything.",
        },
        Cause::Unknown => &Texts {
            subject: "No account on {server} has this address",
            lead: "Somebody wants to set a new password on {server} and entered this address, but no account there \
                   has it. Nothing was changed.",
            button: "",
            hint: "If it was you: try another of your addresses, or ask your administrator. If it was not you, you \
                   need not do anything.",
        },
    }
}

fn polish(cause: Cause) -> &'static Texts {
    match cause {
        Cause::Add => &Texts {
            subject: "Potwierdź swój adres e-mail na serwerze {server}",
            lead: "Ten adres ma zostać dodany do konta na serwerze {server}. Potwierdź, że należy do Ciebie:",
            button: "Potwierdź adres",
            hint: "Jeśli to nie Ty, nie rób nic: bez potwierdzenia adres nie zostanie dodany.",
        },
        Cause::Register => &Texts {
            subject: "Potwierdź adres e-mail nowego konta na serwerze {server}",
            lead: "Ktoś zakłada konto na serwerze {server} z tym adresem. Jeśli to Ty, potwierdź adres:",
            button: "Potwierdź adres",
            hint: "Jeśli to nie Ty, nie rób nic: konto nie zostanie założone.",
        },
        Cause::Reset => &Texts {
            subject: "Nowe hasło do Twojego konta na serwerze {server}",
            lead: "Ktoś chce ustawić nowe hasło do Twojego konta na serwerze {server}. Jeśli to Ty, zezwól na to:",
            button: "Zezwól na nowe hasło",
            hint: "Jeśli to nie Ty, nie otwieraj odnośnika: hasło pozostanie bez zmian. Jeśli takie wiadomości się \
                   powtarzają, powiadom administratora.",
        },
        Cause::Taken => &Texts {
            subject: "Masz już konto na serwerze {server}",
            lead: "Ktoś podał ten adres na serwerze {server}, aby założyć konto albo dodać do niego adres. Adres \
                   należy już do konta na tym serwerze, więc nic się nie zmieniło.",
            button: "",
            hint: "Jeśli to Ty: zaloguj się tym adresem i hasłem. Jeśli nie pamiętasz hasła, ustaw nowe. Jeśli to nie \
                   Ty, nie musisz nic robić.",
        },
        Cause::Unknown => &Texts {
            subject: "Żadne konto na serwerze {server} nie ma tego adresu",
            lead: "Ktoś chce ustawić nowe hasło na serwerze {server} i podał ten adres, ale żadne konto go nie ma. Nic \
                   się nie zmieniło.",
            button: "",
            hint: "Jeśli to Ty: spróbuj innego swojego adresu albo zapytaj administratora. Jeśli to nie Ty, nie \
                   musisz nic robić.",
        },
    }
}

fn ukrainian(cause: Cause) -> &'static Texts {
    match cause {
        Cause::Add => &Texts {
            subject: "Підтвердьте свою електронну адресу на сервері {server}",
            lead: "Цю адресу мають додати до облікового запису на сервері {server}. Підтвердьте, що вона ваша:",
            button: "Підтвердити адресу",
            hint: "Якщо це не ви, нічого не робіть: без підтвердження адресу не буде додано.",
        },
        Cause::Register => &Texts {
            subject: "Підтвердьте електронну адресу нового облікового запису на сервері {server}",
            lead: "Хтось створює обліковий запис на сервері {server} з цією адресою. Якщо це ви, підтвердьте адресу:",
            button: "Підтвердити адресу",
            hint: "Якщо це не ви, нічого не робіть: обліковий запис не буде створено.",
        },
        Cause::Reset => &Texts {
            subject: "Новий пароль до вашого облікового запису на сервері {server}",
            lead: "Хтось хоче встановити новий пароль до вашого облікового запису на сервері {server}. Якщо це ви, \
                   дозвольте це:",
            button: "Дозволити новий пароль",
            hint: "Якщо це не ви, не відкривайте посилання: пароль залишиться без змін. Якщо такі листи \
                   повторюються, повідомте адміністратора.",
        },
        Cause::Taken => &Texts {
            subject: "Ви вже маєте обліковий запис на сервері {server}",
            lead: "Хтось вказав цю адресу на сервері {server}, щоб створити обліковий запис або додати до нього \
                   адресу. Вона вже належить обліковому запису на цьому сервері, тому нічого не змінено.",
            button: "",
            hint: "Якщо це ви: увійдіть із цією адресою та паролем. Якщо ви забули пароль, встановіть новий. Якщо це \
                   не ви, нічого робити не потрібно.",
        },
        Cause::Unknown => &Texts {
            subject: "Жоден обліковий запис на сервері {server} не має цієї адреси",
            lead: "Хтось хоче встановити новий пароль на сервері {server} і вказав цю адресу, але жоден обліковий \
                   запис її не має. Нічого не змінено.",
            button: "",
            hint: "Якщо це ви: спробуйте іншу свою адресу або запитайте адміністратора. Якщо це не ви, нічого робити \
                   не потрібно.",
        },
    }
}
