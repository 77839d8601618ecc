//! Registration files of application services (`appservices.files`): read at the start, so that
//! everything that is wrong with them is said before anybody is served.

use super::keys::Config;
use kontor_identity::appservice::FileService;
use kontor_model::appservice::{Definition, Service};
use ruma::ServerName;
use std::path::Path;
use std::sync::Arc;

/// Largest registration file, bytes.
const LARGEST: u64 = 1 << 20;

/// The application services of all files.
///
/// # Errors
/// Everything that is wrong with any of them, a line each.
pub fn read(config: &Config) -> Result<Vec<FileService>, String> {
    let server_name = ServerName::parse(&config.top.server_name).map_err(|error| error.to_string())?;
    let (mut services, mut wrong) = (Vec::<(FileService, &Path)>::new(), Vec::new());
    for file in &config.appservices.files {
        match one(file, &server_name) {
            Ok(service) => {
                wrong.extend(services.iter().filter_map(|(other, at)| alike(&service, other, file, at)));
                services.push((service, file));
            }
            Err(faults) => {
                wrong.extend(faults.into_iter().map(|fault| format!("{}: {fault}", file.display())));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(services.into_iter().map(|(service, _)| service).collect());
    }
    Err(format!("The application services cannot be used:\n  {}", wrong.join("\n  ")))
}

fn one(file: &Path, server_name: &ServerName) -> Result<FileService, Vec<String>> {
    let unreadable = |error: std::io::Error| vec![format!("the file cannot be read: {error}")];
    if std::fs::metadata(file).map_err(unreadable)?.len() > LARGEST {
        return Err(vec!["the file is too large to be a registration.".to_owned()]);
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    let definition: Definition = serde_yaml_ng::from_str(&text).map_err(|error| {
        vec![format!("it is no registration: {error}. A text that looks like a number needs quotes.")]
    })?;
    let service = Arc::new(Service::new(&definition, server_name, true)?);
    Ok(FileService { service, as_token: definition.as_token })
}

/// What two of them may not have in common.
fn alike(new: &FileService, old: &FileService, file: &Path, at: &Path) -> Option<String> {
    let (file, at) = (file.display(), at.display());
    if new.service.id == old.service.id {
        return Some(format!(
            "{file}: the id \"{}\" is that of {at} too; each needs its own.",
            new.service.id
        ));
    }
    let same = new.as_token == old.as_token;
    same.then(|| format!("{file}: its as_token is that of {at} too; each needs its own."))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(std::path::PathBuf);

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn read_all(name: &str, files: &[&str]) -> Result<Vec<FileService>, String> {
        let folder = Folder(std::env::temp_dir().join(format!("kontor-as-{name}-{}", std::process::id())));
        std::fs::create_dir_all(&folder.0).expect("a folder");
        let mut config = Config::default();
        config.top.server_name = "x.example".to_owned();
        for (index, text) in files.iter().enumerate() {
            let file = folder.0.join(format!("{index}.yaml"));
            std::fs::write(&file, text).expect("a file");
            config.appservices.files.push(file);
        }
        read(&config)
    }

    const IRC: &str = "
id: irc
url: http://127.0.0.1:9999
as_token: secret-a
hs_token: secret-b
sender_localpart: ircbot
rate_limited: false
de.sorunome.msc2409.push_ephemeral: true
io.element.msc4190: true
protocols: [irc]
namespaces:
  users:
    - exclusive: true
      regex: '@irc_.*'
  aliases: []
  rooms: []
";

    #[test]
    fn a_file_of_a_bridge_is_read() {
        let services = read_all("good", &[IRC, &IRC.replace("id: irc", "id: b").replace("secret-a", "c")]);
        let services = services.expect("good files");
        assert_eq!(services.len(), 2);
        let service = &services[0].service;
        assert!(service.ephemeral && service.from_file && service.owns_user("@irc_anna:x.example"));
        assert_eq!(service.url.as_deref(), Some("http://127.0.0.1:9999"));
        let silent = read_all("silent", &[&IRC.replace("http://127.0.0.1:9999", "null")]).expect("good");
        assert_eq!(silent[0].service.url, None);
    }

    #[test]
    fn everything_that_is_wrong_is_said_with_the_file() {
        let broken = [
            IRC.to_owned(),
            IRC.to_owned(),
            IRC.replace("id: irc", "id: other"),
            IRC.replace("id: irc", "id: c").replace("secret-a", "d").replace("@irc_.*", "@(?=x).*"),
            IRC.replace("hs_token: secret-b\n", ""),
            "just a text".to_owned(),
            IRC.replace("as_token: secret-a", "as_token: 12345"),
        ];
        let broken: Vec<&str> = broken.iter().map(String::as_str).collect();
        let said = read_all("broken", &broken).expect_err("broken files");
        for part in [
            "1.yaml: the id \"irc\"",
            "2.yaml: its as_token",
            "3.yaml: namespaces.users",
            "hs_token",
            "5.yaml",
            "6.yaml",
        ] {
            assert!(said.contains(part), "{part} is missing in:\n{said}");
        }
        assert!(!said.contains("secret-a"), "no token is shown");
    }
}
