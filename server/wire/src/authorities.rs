//! Certificate authorities that are trusted for outgoing connections beside the system's own.

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};

/// Certificates that were read and can be used.
#[derive(Debug, Clone, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// Reads PEM files.
    ///
    /// # Errors
    /// A sentence that names the file which cannot be read or holds no certificate.
    pub fn read(files: &[PathBuf]) -> Result<Self, String> {
        let mut found = Vec::new();
        for file in files {
            for certificate in certificates(file)? {
                reqwest::Certificate::from_der(&certificate)
                    .map_err(|error| format!("{}: {error}.", file.display()))?;
                found.push(certificate);
            }
        }
        Ok(Self(found))
    }

    /// The certificates, DER.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// Adds them to those that an HTTP client trusts.
    pub fn trusted_by(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        let all = self.0.iter().filter_map(|certificate| reqwest::Certificate::from_der(certificate).ok());
        let all: Vec<_> = all.collect();
        if all.is_empty() { builder } else { builder.tls_certs_merge(all) }
    }
}

/// The certificates of a PEM file.
///
/// # Errors
/// A sentence that names the file.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error: &dyn std::fmt::Display| {
        format!("The certificates in {} cannot be read: {error}.", file.display())
    };
    let found = CertificateDer::pem_file_iter(file)
        .map_err(|error| wrong(&error))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| wrong(&error))?;
    if found.is_empty() { Err(wrong(&"there is none")) } else { Ok(found) }
}
