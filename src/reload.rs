//! What an operator changes without a restart: tokens, certificates, address lists and limits.
//!
//! Owns reading their files and the settings, at the start and on SIGHUP. A bad one stops a start and,
//! later, leaves everything of its kind as it was; the operator is told either way. Never decides who
//! comes in. Next: `http/tokens`, `http/tls`, `http/admission`.

use crate::config::{Config, ConfigError, Rate, Reread};
use crate::domain::settings::Settings;
use crate::http::{Addresses, BadCertificate, BadNetworks, BadTokens, Certificate, Networks};
use crate::http::{Quota, Reloadable, Rules, Tokens};
use crate::tell::tell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file that is longer is none of these.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

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
    /// It is no list of addresses.
    #[error(transparent)]
    Networks(#[from] BadNetworks),
    /// The settings cannot be read again.
    #[error(transparent)]
    Settings(#[from] ConfigError),
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
pub(crate) struct Files {
    reread: Reread,
    /// Those of the start; the tables of a running server do not grow.
    started: Settings,
    /// Who is let in.
    pub(crate) rules: Arc<Reloadable<Rules>>,
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
    pub(crate) fn open(config: &Config, reread: Reread) -> Result<Self, ReloadError> {
        let tls_files = config.tls_cert.clone().zip(config.tls_key.clone());
        let tokens = config.tokens_file.as_deref().map_or(Ok(Tokens::none()), read_tokens)?;
        let certificate = tls_files.as_ref().map(read_certificate).transpose()?;
        Ok(Self {
            reread,
            started: config.rules.clone(),
            rules: Arc::new(Reloadable::new(rules(config)?)),
            tokens_file: config.tokens_file.clone(),
            tls_files,
            tokens: Arc::new(Reloadable::new(tokens)),
            certificate: certificate.map(|certificate| Arc::new(Reloadable::new(certificate))),
        })
    }

    /// Reads them again. One that is bad now does not keep another from being taken. Gives the
    /// settings that decide outcomes, as they shall hold from now on: these the writer takes.
    pub(crate) fn reload(&self) -> Option<Settings> {
        self.reload_files();
        let reread = (self.reread)().map_err(ReloadError::from);
        match reread.and_then(|config| Ok((rules(&config)?, config.rules))) {
            Ok((rules, settings)) => {
                self.rules.replace(rules);
                tell(format_args!("took the limits and address lists"));
                if settings.caps != self.started.caps {
                    tell(format_args!("kept the caps as they were: a start changes them"));
                }
                Some(Settings { caps: self.started.caps.clone(), ..settings })
            }
            Err(error) => {
                tell(format_args!("kept the limits and address lists as they were: {error}"));
                None
            }
        }
    }

    fn reload_files(&self) {
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

fn rules(config: &Config) -> Result<Rules, ReloadError> {
    let admission = &config.admission;
    let networks = |file: &Option<PathBuf>| match file {
        Some(file) => Ok(Networks::read(&file.display().to_string(), &read_text(file)?)?),
        None => Ok::<_, ReloadError>(Networks::default()),
    };
    let quota =
        |rate: Option<Rate>| rate.map(|Rate { requests, window_s }| Quota { requests, window_s });
    Ok(Rules {
        addresses: Addresses {
            deny: networks(&admission.deny_file)?,
            allow: networks(&admission.allow_file)?,
            trusted_proxies: Networks::of(admission.trusted_proxies.iter().copied()),
        },
        connections_per_address_max: admission.connections_per_address_max,
        per_principal: quota(admission.per_principal),
        per_user: quota(admission.per_user),
        per_address: quota(admission.per_address),
        wait_ms_max: admission.wait_ms_max,
    })
}

fn read_tokens(file: &Path) -> Result<Tokens, ReloadError> {
    Ok(Tokens::read(&file.display().to_string(), &read_text(file)?)?)
}

fn read_text(file: &Path) -> Result<String, ReloadError> {
    String::from_utf8(read(file)?).map_err(|_| {
        let cause = io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        ReloadError::Read { file: file.to_owned(), cause }
    })
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
        return Err(bad(io::Error::new(io::ErrorKind::FileTooLarge, "it is over 8 MiB long")));
    }
    Ok(bytes)
}
