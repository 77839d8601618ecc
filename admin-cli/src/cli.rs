//! The command line, its help in the reader's language.

use crate::contacts::Said;
use crate::language::Language;
use crate::texts::Text;
use clap::{Arg, ArgAction, Command};

/// Where a server with no configuration listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8008";
/// Where a server with no configuration, started in this folder, leaves its one-time token.
const DEFAULT_TOKEN_FILE: &str = "data/first-admin-token";

/// The whole command line.
pub fn command(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    Command::new("kontorctl")
        .version(env!("CARGO_PKG_VERSION"))
        .about(text(Text::About))
        .after_help(text(Text::Environment))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .arg(
            option("url", "URL", text(Text::UrlHelp))
                .env("KONTORCTL_URL")
                .default_value(DEFAULT_URL)
                .global(true),
        )
        .arg(option("ca-file", "FILE", text(Text::CaHelp)).global(true))
        .arg(option("lang", "LANG", text(Text::LangHelp)).global(true))
        .subcommand(user(language))
        .subcommand(notice(language))
        .subcommand(contacts(language))
        .subcommand(channel(language))
        .subcommand(
            Command::new("report")
                .about(text(Text::ReportHelp))
                .subcommand_required(true)
                .arg_required_else_help(true)
                .subcommand(Command::new("list").about(text(Text::ReportListHelp)).arg(output(language))),
        )
        .subcommand(
            Command::new("setup")
                .about(text(Text::SetupHelp))
                .arg(option("name", "NAME", text(Text::NameHelp)).required(true))
                .arg(flag("password-stdin", text(Text::PasswordHelp)).required(true))
                .arg(
                    option("token-file", "FILE", text(Text::TokenFileHelp)).default_value(DEFAULT_TOKEN_FILE),
                ),
        )
        .subcommand(
            Command::new("login")
                .about(text(Text::LoginHelp))
                .arg(Arg::new("name").value_name("NAME").required(true).help(text(Text::NameHelp)))
                .arg(flag("password-stdin", text(Text::PasswordHelp)).required(true)),
        )
}

fn output(language: Language) -> Arg {
    option("output", "FORM", Text::OutputHelp.of(language))
        .short('o')
        .value_parser(["table", "json"])
        .default_value("table")
}

fn user(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    Command::new("user")
        .about(text(Text::UserHelp))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("create")
                .about(text(Text::CreateHelp))
                .arg(Arg::new("name").value_name("NAME").required(true).help(text(Text::NameHelp)))
                .arg(flag("admin", text(Text::AdminHelp)))
                .arg(option("display-name", "TEXT", text(Text::DisplayNameHelp)))
                .arg(flag("password-stdin", text(Text::PasswordOrGeneratedHelp)))
                .arg(output(language)),
        )
        .subcommand(Command::new("list").about(text(Text::ListHelp)).arg(output(language)))
        .subcommand(named("lock", text(Text::LockHelp), language))
        .subcommand(named("unlock", text(Text::UnlockHelp), language))
        .subcommand(named("suspend", text(Text::SuspendHelp), language))
        .subcommand(named("unsuspend", text(Text::UnsuspendHelp), language))
        .subcommand(
            named("deactivate", text(Text::DeactivateHelp), language)
                .arg(flag("erase", text(Text::EraseHelp))),
        )
}

/// A command about one account.
fn named(name: &'static str, help: &'static str, language: Language) -> Command {
    let who = Arg::new("name").value_name("NAME").required(true).help(Text::NameHelp.of(language));
    Command::new(name).about(help).arg(who)
}

fn notice(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    let words = Arg::new("text").value_name("TEXT").required(true).help(text(Text::NoticeTextHelp));
    let send = Command::new("send")
        .about(text(Text::NoticeSendHelp))
        .arg(words)
        .arg(option("to", "NAME", text(Text::NameHelp)).required_unless_present("everybody"))
        .arg(flag("everybody", text(Text::EverybodyHelp)).conflicts_with("to"));
    Command::new("notice")
        .about(text(Text::NoticeHelp))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(send)
}

fn contacts(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    let replay = Command::new("replay")
        .about(text(Text::ReplayHelp))
        .arg(Arg::new("events").value_name("EVENTS").required(true).help(text(Text::EventsHelp)))
        .arg(option("predictions", "FILE", text(Text::PredictionsHelp)))
        .arg(option("suggestions", "FILE", text(Text::SuggestionsHelp)));
    let import = Command::new("import")
        .about(Said::ImportHelp.of(language))
        .arg(Arg::new("file").value_name("FILE").required(true).help(Said::ImportFileHelp.of(language)))
        .arg(flag("dry-run", Said::DryRunHelp.of(language)))
        .arg(flag("attach", Said::AttachHelp.of(language)))
        .arg(option("mapping", "FILE", Said::MappingHelp.of(language)))
        .arg(option("rejected", "FILE", Said::RejectedHelp.of(language)))
        .arg(option("import-id", "NAME", Said::ImportIdHelp.of(language)));
    let export = Command::new("export")
        .about(Said::ExportHelp.of(language))
        .arg(
            option("format", "FORM", text(Text::OutputHelp))
                .value_parser(["csv", "vcf", "jsonl"])
                .default_value("csv"),
        )
        .arg(option("to", "FILE", Said::ExportToHelp.of(language)));
    Command::new("contacts")
        .about(text(Text::ContactsHelp))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommands([replay, import, export, quality(language)])
}

fn quality(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    let report = || Arg::new("report").value_name("REPORT").help(Said::ReportIdHelp.of(language));
    let name = Arg::new("name").value_name("NAME").required(true).help(text(Text::NameHelp));
    Command::new("quality")
        .about(Said::QualityHelp.of(language))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("show")
                .about(Said::QualityShowHelp.of(language))
                .arg(report())
                .arg(output(language)),
        )
        .subcommand(Command::new("make").about(Said::QualityMakeHelp.of(language)).arg(output(language)))
        .subcommand(
            Command::new("assign")
                .about(Said::QualityAssignHelp.of(language))
                .arg(report().required(true))
                .arg(name)
                .arg(output(language)),
        )
        .subcommand(
            Command::new("sign-off")
                .about(Said::QualitySignHelp.of(language))
                .arg(report().required(true))
                .arg(option("note", "TEXT", Said::QualityNoteHelp.of(language)))
                .arg(output(language)),
        )
}

fn channel(language: Language) -> Command {
    let text = |text: Text| text.of(language);
    let one = |name: &'static str, help: Text| {
        let id = Arg::new("id").value_name("CHANNEL").required(true).help(text(Text::ChannelIdHelp));
        Command::new(name).about(text(help)).arg(id)
    };
    let add = Command::new("add")
        .about(text(Text::ChannelAddHelp))
        .arg(
            Arg::new("kind")
                .value_name("KIND")
                .required(true)
                .help(text(Text::ChannelKindHelp))
                .value_parser(["telegram", "webchat"]),
        )
        .arg(option("id", "CHANNEL", text(Text::ChannelIdHelp)))
        .arg(option("title", "TEXT", text(Text::ChannelTitleHelp)))
        .arg(option("member", "USER", text(Text::ChannelMemberHelp)).action(ArgAction::Append).required(true))
        .arg(option("bridge-url", "URL", text(Text::BridgeUrlHelp)).default_value("http://127.0.0.1:8009"))
        .arg(
            option("channel-language", "LANG", text(Text::ChannelLanguageHelp))
                .value_parser(["pl", "uk", "en"])
                .default_value("pl"),
        )
        .arg(option("registration", "FILE", text(Text::RegistrationHelp)).default_value("registration.json"));
    Command::new("channel")
        .about(text(Text::ChannelHelp))
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(Command::new("list").about(text(Text::ChannelListHelp)).arg(output(language)))
        .subcommand(add)
        .subcommand(one("test", Text::ChannelTestHelp))
        .subcommand(one("pause", Text::ChannelPauseHelp))
        .subcommand(one("resume", Text::ChannelResumeHelp))
        .subcommand(one("remove", Text::ChannelRemoveHelp))
}

fn option(name: &'static str, value: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value).help(help)
}

fn flag(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed_in_every_language() {
        for language in [Language::English, Language::Polish, Language::Ukrainian] {
            command(language).debug_assert();
        }
    }

    #[test]
    fn wrong_usage_ends_with_code_2() {
        for line in [
            vec!["kontorctl", "user", "create"],
            vec!["kontorctl", "fly"],
            vec!["kontorctl", "user", "list", "-o", "xml"],
        ] {
            let error = command(Language::English).try_get_matches_from(line).expect_err("wrong");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
