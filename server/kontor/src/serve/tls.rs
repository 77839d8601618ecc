//! Certificates that a listener shows.

use crate::config::Listener;
use kontor_wire::authorities::certificates;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use tokio_rustls::TlsAcceptor;

/// Protocols offered during the handshake, the preferred one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificate of one listener; it can be read anew while the server runs.
#[derive(Debug)]
pub struct Tls {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the listener's certificate; none when it speaks plain HTTP.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn of(listener: &Listener) -> Result<Option<Self>, String> {
        let (Some(certificate), Some(key)) = (&listener.tls_cert, &listener.tls_key) else { return Ok(None) };
        let current = RwLock::new(read(certificate, key)?);
        Ok(Some(Self { certificate: certificate.clone(), key: key.clone(), current }))
    }

    /// Reads the files again; connections that are open keep the certificate they began with.
    ///
    /// # Errors
    /// A sentence that names the file; the certificate in use stays.
    pub fn reload(&self) -> Result<(), String> {
        let fresh = read(&self.certificate, &self.key)?;
        *self.current.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = fresh;
        Ok(())
    }

    /// What shakes hands with the certificate that is current now.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.current.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| format!("The private key in {} cannot be read: {error}.", key.display()))?;
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(|error| format!("The certificate in {} cannot be used: {error}.", certificate.display()))?;
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    Ok(Arc::new(config))
}
