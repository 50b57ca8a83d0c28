//! What an operator changes without a restart: tokens and certificates.
//!
//! Owns reading their files, at the start and on SIGHUP. A bad file stops a start and, later, leaves
//! everything as it was; the operator is told either way. Never decides who comes in. Next:
//! `http/tokens`, `http/tls`.

use crate::config::Config;
use crate::http::{BadCertificate, BadTokens, Certificate, Reloadable, Tokens};
use crate::tell::tell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is longer is none of these.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// It cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        /// Which.
        file: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// It is no tokens file.
    #[error(transparent)]
    Tokens(#[from] BadTokens),
    /// It is no certificate or key.
    #[error("cannot use {} with {}: {cause}", cert.display(), key.display())]
    Certificate {
        /// `tls.cert`.
        cert: PathBuf,
        /// `tls.key`.
        key: PathBuf,
        /// What is wrong with one or both.
        #[source]
        cause: BadCertificate,
    },
}

/// The files, and where what stands in them is used.
#[derive(Debug)]
pub(crate) struct Files {
    tokens_file: Option<PathBuf>,
    tls_files: Option<(PathBuf, PathBuf)>,
    /// Who may come in.
    pub(crate) tokens: Arc<Reloadable<Tokens>>,
    /// What the server shows under TLS, if it speaks that.
    pub(crate) certificate: Option<Arc<Reloadable<Certificate>>>,
}

impl Files {
    /// Reads all of them.
    ///
    /// # Errors
    /// When one cannot be used.
    pub(crate) fn open(config: &Config) -> Result<Self, ReloadError> {
        let tls_files = config.tls_cert.clone().zip(config.tls_key.clone());
        let tokens = config.tokens_file.as_deref().map_or(Ok(Tokens::none()), read_tokens)?;
        let certificate = tls_files.as_ref().map(read_certificate).transpose()?;
        Ok(Self {
            tokens_file: config.tokens_file.clone(),
            tls_files,
            tokens: Arc::new(Reloadable::new(tokens)),
            certificate: certificate.map(|certificate| Arc::new(Reloadable::new(certificate))),
        })
    }

    /// Reads them again. One that is bad now does not keep another from being taken.
    pub(crate) fn reload(&self) {
        if let Some(file) = &self.tokens_file {
            match read_tokens(file) {
                Ok(tokens) => {
                    let count = tokens.count();
                    self.tokens.replace(tokens);
                    tell(format_args!("took the tokens in {} ({count})", file.display()));
                }
                Err(error) => tell(format_args!("kept the tokens as they were: {error}")),
            }
        }
        if let Some((files, place)) = self.tls_files.as_ref().zip(self.certificate.as_ref()) {
            match read_certificate(files) {
                Ok(certificate) => {
                    place.replace(certificate);
                    tell(format_args!("took the certificate in {}", files.0.display()));
                }
                Err(error) => tell(format_args!("kept the certificate as it was: {error}")),
            }
        }
    }
}

fn read_tokens(file: &Path) -> Result<Tokens, ReloadError> {
    let text = String::from_utf8(read(file)?).map_err(|_| {
        let cause = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        ReloadError::Read { file: file.to_owned(), cause }
    })?;
    Ok(Tokens::read(&file.display().to_string(), &text)?)
}

fn read_certificate((cert, key): &(PathBuf, PathBuf)) -> Result<Certificate, ReloadError> {
    let unusable = |cause| ReloadError::Certificate { cert: cert.clone(), key: key.clone(), cause };
    Certificate::read(&read(cert)?, &read(key)?).map_err(unusable)
}

fn read(file: &Path) -> Result<Vec<u8>, ReloadError> {
    let bad = |cause| ReloadError::Read { file: file.to_owned(), cause };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(bad)?;
    opened.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(bad)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(bad(io::Error::new(io::ErrorKind::FileTooLarge, "it is over 1 MiB long")));
    }
    Ok(bytes)
}
