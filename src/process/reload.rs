//! What an operator changes without a restart: tokens, certificates, address lists, limits.
//!
//! Owns reading their files and the settings, at the start and on SIGHUP. A bad one stops a start
//! and, later, leaves everything of its kind as it was; the operator is told either way. Never
//! decides who comes in. Next: `http/auth/tokens`, `http/connection/tls`, `http/admission`.

use crate::config::{Config, ConfigError, Rate, Reread};
use crate::domain::model::settings::Settings;
use crate::http::{
    Addresses, BadCertificate, BadNetworks, BadTokens, Cells, Certificate, HttpLimits,
};
use crate::http::{Networks, PerAddress, Quota, Reloadable, Rules, Sites, Tokens, Validity};
use crate::process::descriptors;
use crate::process::log;
use crate::shared::clock;
use crate::shared::instant;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A file that is longer is none of these.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A certificate that ends within this is told of, at each start and SIGHUP.
const EXPIRY_TOLD_MS: u64 = 14 * 24 * 60 * 60 * 1000;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// The file cannot be read.
    #[error("cannot read {}: {cause}", file.display())]
    Read {
        file: PathBuf,
        /// What the system answered.
        #[source]
        cause: io::Error,
    },
    /// The file is no tokens file.
    #[error(transparent)]
    Tokens(#[from] BadTokens),
    /// The file is no list of addresses.
    #[error(transparent)]
    Networks(#[from] BadNetworks),
    /// The settings cannot be read again.
    #[error(transparent)]
    Settings(#[from] ConfigError),
    /// The file is no certificate or key.
    #[error("cannot use {} with {}: {cause}", cert.display(), key.display())]
    Certificate {
        cert: PathBuf,
        key: PathBuf,
        /// What is wrong with one or both.
        #[source]
        cause: BadCertificate,
    },
}

/// The files, and where what stands in them is used.
pub(crate) struct Files {
    reread: Reread,
    /// The settings that decide outcomes, as they were taken last.
    settings: Settings,
    /// Who is let in.
    pub(crate) rules: Arc<Reloadable<Rules>>,
    /// Buckets that are kept. They stay as they are at the start.
    pub(crate) cells: Cells,
    /// What a client may use up.
    pub(crate) limits: Arc<Reloadable<HttpLimits>>,
    /// Refusals are journaled whole.
    pub(crate) keeps_refusals: Arc<AtomicBool>,
    /// Whether only this machine can reach the server.
    on_loopback: bool,
    /// Files and sockets that may be open.
    descriptors: u64,
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
    pub(crate) fn open(
        config: &Config,
        reread: Reread,
        descriptors: u64,
    ) -> Result<Self, ReloadError> {
        let on_loopback = !config.listen.is_beyond_loopback();
        let tls_files = config.tls_cert.clone().zip(config.tls_key.clone());
        let tokens = config.tokens_file.as_deref().map_or(Ok(Tokens::none()), read_tokens)?;
        let certificate = tls_files.as_ref().map(read_certificate).transpose()?;
        if let Some((certificate, (file, _))) = certificate.as_ref().zip(tls_files.as_ref()) {
            tell_validity(certificate.validity(), file, clock::wall_ms());
        }
        Ok(Self {
            reread,
            settings: Settings { principals: tokens.ordering(), ..config.rules.clone() },
            rules: Arc::new(Reloadable::new(rules(config, on_loopback)?)),
            cells: Cells {
                users: config.admission.user_cells,
                addresses: config.admission.address_cells,
            },
            on_loopback,
            limits: Arc::new(Reloadable::new(limits(config, descriptors))),
            keeps_refusals: Arc::new(AtomicBool::new(config.refusals_full)),
            descriptors,
            tokens_file: config.tokens_file.clone(),
            tls_files,
            tokens: Arc::new(Reloadable::new(tokens)),
            certificate: certificate.map(|certificate| Arc::new(Reloadable::new(certificate))),
        })
    }

    /// The settings that decide outcomes, with what stands in the files.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Reads them again. One that is bad now does not keep another from being taken. Gives the
    /// settings that decide outcomes, as they shall hold from now on: these the writer takes.
    pub(crate) fn reload(&mut self) -> Settings {
        self.reload_files();
        let reread = (self.reread)().map_err(ReloadError::from);
        match reread.and_then(|config| Ok((rules(&config, self.on_loopback)?, config))) {
            Ok((rules, config)) => {
                self.rules.replace(rules);
                self.limits.replace(limits(&config, self.descriptors));
                self.keeps_refusals.store(config.refusals_full, Ordering::Relaxed);
                let settings = config.rules;
                log::set_level(config.log.level);
                tracing::info!("took the limits and address lists");
                // The tables of a running server do not grow.
                let Settings { caps, principals, .. } = self.settings.clone();
                if settings.caps != caps {
                    tracing::warn!("kept the caps as they were: a start changes them");
                }
                self.settings = Settings { caps, principals, ..settings };
            }
            Err(error) => {
                let cause = error.to_string();
                tracing::warn!(cause, "kept the limits and address lists as they were");
            }
        }
        self.settings.clone()
    }

    fn reload_files(&mut self) {
        if let Some(file) = &self.tokens_file {
            match read_tokens(file) {
                Ok(tokens) => {
                    let (count, file) = (tokens.count(), file.display().to_string());
                    self.settings.principals = tokens.ordering();
                    self.tokens.replace(tokens);
                    tracing::info!(file, count, "took the tokens");
                }
                Err(error) => {
                    let cause = error.to_string();
                    tracing::warn!(cause, "kept the tokens as they were");
                }
            }
        }
        if let Some((files, place)) = self.tls_files.as_ref().zip(self.certificate.as_ref()) {
            match read_certificate(files) {
                Ok(certificate) => {
                    let (validity, file) = (certificate.validity(), files.0.display().to_string());
                    place.replace(certificate);
                    tracing::info!(file, "took the certificate");
                    tell_validity(validity, &files.0, clock::wall_ms());
                }
                Err(error) => {
                    let cause = error.to_string();
                    tracing::warn!(cause, "kept the certificate as it was");
                }
            }
        }
    }
}

/// What stands in the settings now, of a server that listens where it did at its start.
fn rules(config: &Config, on_loopback: bool) -> Result<Rules, ReloadError> {
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
            proxy_protocol: admission.proxy_protocol,
        },
        sites: Sites {
            origins: admission.origins.clone(),
            hosts: admission.hosts.clone(),
            checks_hosts: on_loopback || !admission.hosts.is_empty(),
        },
        connections_per_address: match admission.connections_per_address_max {
            None => PerAddress::Quarter,
            Some(0) => PerAddress::AsMany,
            Some(most) => PerAddress::Most(most),
        },
        per_principal: quota(admission.per_principal),
        per_user: quota(admission.per_user),
        per_address: quota(admission.per_address),
        wait_ms_max: admission.wait_ms_max,
    })
}

/// As configured; but no more connections than there are descriptors for.
fn limits(config: &Config, descriptors: u64) -> HttpLimits {
    let http = &config.http;
    let connections_max = descriptors::connections_max(descriptors, config.connections_max);
    if connections_max < config.connections_max / 2 {
        tracing::warn!(
            connections_max,
            descriptors,
            wished = config.connections_max,
            "fewer connections than http.connections_max: so few files may be open (ulimit -n, \
             LimitNOFILE)"
        );
    }
    HttpLimits {
        connections_max,
        header_timeout_ms: config.header_timeout_ms,
        body_timeout_ms: config.body_timeout_ms,
        idle_ms: config.idle_ms,
        header_bytes_max: http.header_bytes_max,
        headers_max: http.headers_max,
        uri_bytes_max: http.uri_bytes_max,
        body_bytes_max: http.body_bytes_max,
        batch_timeout_ms: http.batch_timeout_ms,
        write_timeout_ms: http.write_timeout_ms,
        lifetime_ms: http.lifetime_ms,
        idle_grace_ms: http.idle_grace_ms,
        requests_max: http.requests_max,
        handshake_timeout_ms: config.handshake_timeout_ms,
        ..HttpLimits::default()
    }
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

/// Clients would find out; an operator should before.
fn tell_validity(validity: Option<Validity>, file: &Path, now_ms: u64) {
    let file = file.display().to_string();
    let text = |at_s: u64| instant::text(at_s.saturating_mul(1000));
    match validity {
        Some(Validity { not_after_s, .. }) if not_after_s.saturating_mul(1000) <= now_ms => {
            let not_after = text(not_after_s);
            tracing::warn!(file, not_after, "the certificate has expired: clients refuse it");
        }
        Some(Validity { not_after_s, .. })
            if not_after_s.saturating_mul(1000) <= now_ms + EXPIRY_TOLD_MS =>
        {
            let not_after = text(not_after_s);
            tracing::warn!(file, not_after, "the certificate expires within 14 days");
        }
        Some(Validity { not_before_s, .. }) if not_before_s.saturating_mul(1000) > now_ms => {
            let not_before = text(not_before_s);
            tracing::warn!(file, not_before, "the certificate is not valid yet");
        }
        Some(_) => {}
        None => tracing::warn!(file, "when the certificate expires cannot be read from it"),
    }
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
