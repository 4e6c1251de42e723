//! The command lsp: the check while a file is typed, over the Language Server Protocol on stdin and stdout.
//!
//! Every pipeline of the workspace is checked again after each change, with the texts of the editor in place of the
//! files: the same findings as the command check has. A template or a buildspec that no pipeline names is checked by
//! itself. Source: <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/>.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::path::{Path, PathBuf};

use action::failure::Failure;
use action::program::{Context, Output};
use contract::check::Report;
use contract::repair::tried_out;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::{
    CodeAction, CodeActionKind, CodeActionOptions, CodeActionParams, CodeActionProviderCapability,
    CompletionOptions, CompletionParams, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, HoverParams, HoverProviderCapability, InitializeParams,
    InitializeResult, PublishDiagnosticsParams, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, Uri,
};
use serde::de::DeserializeOwned;

use crate::check::Looking;
use crate::files;
use crate::files::Texts;
use crate::settings::Checked;

mod answers;
mod places;
mod uris;

/// Serves one editor until it says `exit`, closes stdin, or a signal comes.
pub(crate) async fn run(settings: &Checked, context: &Context) -> Result<Output, Failure> {
    let looking = Looking::open(settings, context).await?;
    let serving = tokio::task::spawn_blocking(move || {
        let (connection, threads) = Connection::stdio();
        let served = serve(&connection, looking);
        // Its threads end when nobody can send any more.
        drop(connection);
        served.and_then(|()| threads.join().map_err(Stop::Pipe))
    });
    let ended = context.interrupt.race(serving).await;
    let broken = |why: String| Failure::failed("cannot go on serving the editor").cause(why);
    match ended {
        Err(signal) => Err(Failure::interrupted(signal, "stopped serving the editor")),
        Ok(Ok(Ok(()))) => Ok(Output::Nothing),
        Ok(Ok(Err(stop))) => Err(broken(stop.to_string())),
        Ok(Err(panicked)) => Err(broken(panicked.to_string())),
    }
}

/// Why serving ends before the editor says so.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error(transparent)]
    Protocol(#[from] lsp_server::ProtocolError),
    #[error("the editor's message cannot be read: {0}")]
    Message(#[from] serde_json::Error),
    #[error("the editor no longer reads")]
    Gone,
    #[error(transparent)]
    Pipe(std::io::Error),
    #[error("{0}")]
    Settings(Failure),
}

/// What the editor has open, and what was found last.
struct Server<'a> {
    connection: &'a Connection,
    looking: Looking,
    root: PathBuf,
    /// Open documents by path.
    open: BTreeMap<PathBuf, (Uri, String)>,
    /// Files with a pipeline, open or not.
    definitions: BTreeSet<PathBuf>,
    /// Files that have diagnostics in the editor.
    told: BTreeSet<PathBuf>,
    report: Report,
}

fn serve(connection: &Connection, mut looking: Looking) -> Result<(), Stop> {
    let (id, params) = connection.initialize_start()?;
    let params: InitializeParams = serde_json::from_value(params)?;
    let capabilities = ServerCapabilities {
        text_document_sync: Some(TextDocumentSyncCapability::Kind(TextDocumentSyncKind::FULL)),
        code_action_provider: Some(CodeActionProviderCapability::Options(CodeActionOptions {
            code_action_kinds: Some(vec![CodeActionKind::QUICKFIX]),
            ..CodeActionOptions::default()
        })),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some(vec!["{".to_owned(), ".".to_owned()]),
            ..CompletionOptions::default()
        }),
        ..ServerCapabilities::default()
    };
    let result = InitializeResult {
        capabilities,
        server_info: Some(ServerInfo {
            name: env!("CARGO_PKG_NAME").to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection.initialize_finish(id, serde_json::to_value(result)?)?;
    let here = looking.source.clone();
    let root = uris::root(&params).unwrap_or_else(|| here.clone());
    // Where no source folder is named, the workspace is it; paths are shown below it.
    if std::env::current_dir().is_ok_and(|current| current == here) {
        looking.source.clone_from(&root);
        std::env::set_current_dir(&root).map_err(Stop::Pipe)?;
        looking.read_policy().map_err(Stop::Settings)?;
    }
    let mut server = Server {
        connection,
        looking,
        definitions: files::definitions(&root),
        root,
        open: BTreeMap::new(),
        told: BTreeSet::new(),
        report: Report::default(),
    };
    server.look()?;
    server.messages()
}

impl Server<'_> {
    fn messages(&mut self) -> Result<(), Stop> {
        let mut is_stale = false;
        loop {
            // Whoever types fast is answered once.
            if is_stale && self.connection.receiver.is_empty() {
                self.look()?;
                is_stale = false;
            }
            let Ok(message) = self.connection.receiver.recv() else {
                return Ok(());
            };
            match message {
                Message::Request(request) => {
                    if self.connection.handle_shutdown(&request)? {
                        return Ok(());
                    }
                    if is_stale {
                        self.look()?;
                        is_stale = false;
                    }
                    self.answer(request)?;
                }
                Message::Notification(notification) => is_stale |= self.note(notification)?,
                Message::Response(_) => {}
            }
        }
    }

    /// Follows what the editor does; whether anything is to be looked at again.
    fn note(&mut self, Notification { method, params }: Notification) -> Result<bool, Stop> {
        match method.as_str() {
            "textDocument/didOpen" => {
                let DidOpenTextDocumentParams { text_document } = read(params)?;
                self.changed(text_document.uri, text_document.text);
            }
            "textDocument/didChange" => {
                let DidChangeTextDocumentParams {
                    text_document,
                    content_changes,
                } = read(params)?;
                // Changes are whole texts, as the capabilities say.
                if let Some(change) = content_changes.into_iter().last() {
                    self.changed(text_document.uri, change.text);
                }
            }
            "textDocument/didClose" => {
                let DidCloseTextDocumentParams { text_document } = read(params)?;
                if let Some(path) = uris::path(&text_document.uri) {
                    self.open.remove(&path);
                }
            }
            "textDocument/didSave" | "workspace/didChangeWatchedFiles" => {
                self.looking.read_policy().map_err(Stop::Settings)?;
                self.definitions = files::definitions(&self.root);
                for (path, (_, text)) in &self.open {
                    if files::has_pipeline(text) {
                        self.definitions.insert(path.clone());
                    }
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn changed(&mut self, uri: Uri, text: String) {
        let Some(path) = uris::path(&uri) else {
            return;
        };
        if files::has_pipeline(&text) {
            self.definitions.insert(path.clone());
        } else {
            self.definitions.remove(&path);
        }
        self.open.insert(path, (uri, text));
    }

    /// Checks everything, and tells the editor of what is new.
    fn look(&mut self) -> Result<(), Stop> {
        let mut report = self.report_over(&self.texts());
        // While a reference is typed, the pipeline may not be readable.
        if report.variables.is_empty() {
            report.variables = std::mem::take(&mut self.report.variables);
        }
        self.report = report;
        self.tell()
    }

    /// The texts of the open documents, by the name that their files are shown with.
    fn texts(&self) -> Texts {
        let open = self.open.iter();
        open.map(|(path, (_, text))| (findings::shown(path), text.clone()))
            .collect()
    }

    fn report_over(&self, texts: &Texts) -> Report {
        let open = self.open.keys();
        let mut report = self.looking.over(&self.definitions, open, texts);
        findings::ignore(&mut report, &self.looking.policy);
        report
    }

    /// Sends the diagnostics of each file that has any, and of each that had some.
    fn tell(&mut self) -> Result<(), Stop> {
        let mut by_path: BTreeMap<PathBuf, Vec<lsp_types::Diagnostic>> = BTreeMap::new();
        for path in self.told.iter().chain(self.open.keys()) {
            by_path.insert(path.clone(), Vec::new());
        }
        for finding in &self.report.findings {
            let path = std::path::absolute(&finding.file).unwrap_or_default();
            let diagnostic = answers::diagnostic(&self.report, finding);
            by_path.entry(path).or_default().push(diagnostic);
        }
        self.told.clear();
        for (path, diagnostics) in by_path {
            if !diagnostics.is_empty() {
                self.told.insert(path.clone());
            }
            if let Some(uri) = self.uri(&path) {
                let params = PublishDiagnosticsParams {
                    uri,
                    diagnostics,
                    version: None,
                };
                let method = "textDocument/publishDiagnostics".to_owned();
                self.send(Notification::new(method, params))?;
            }
        }
        Ok(())
    }

    fn answer(&self, Request { id, method, params }: Request) -> Result<(), Stop> {
        let response = match method.as_str() {
            "textDocument/hover" => {
                let params: HoverParams = read(params)?;
                let at = params.text_document_position_params;
                let file = self.shown(&at.text_document.uri);
                Response::new_ok(id, answers::hover(&self.report, &file, at.position))
            }
            "textDocument/completion" => {
                let params: CompletionParams = read(params)?;
                let at = params.text_document_position;
                let path = uris::path(&at.text_document.uri);
                let text = path.and_then(|path| self.open.get(&path));
                let found = text.map(|(_, text)| {
                    answers::completion(&self.report.variables, text, at.position)
                });
                Response::new_ok(id, found.unwrap_or_default())
            }
            "textDocument/codeAction" => {
                let params: CodeActionParams = read(params)?;
                Response::new_ok(id, self.quick_fixes(&params))
            }
            other => {
                let code = ErrorCode::MethodNotFound as i32;
                Response::new_err(id, code, format!("{other} is not served"))
            }
        };
        self.send(response)
    }

    /// The changes that mend what touches a range, each one tried out.
    fn quick_fixes(&self, params: &CodeActionParams) -> Vec<CodeAction> {
        let wanted = params.context.only.as_ref();
        let is_wanted = wanted.is_none_or(|kinds| {
            let quick = CodeActionKind::QUICKFIX;
            kinds
                .iter()
                .any(|kind| *kind == quick || *kind == CodeActionKind::EMPTY)
        });
        if !is_wanted {
            return Vec::new();
        }
        let file = self.shown(&params.text_document.uri);
        let texts = self.texts();
        let mut fixes = Vec::new();
        for finding in answers::touching(&self.report, &file, params.range) {
            let check = |texts: &Texts| Ok::<_, Infallible>(self.report_over(texts));
            let Ok(tried) = tried_out(finding, &self.report, &texts, &check);
            fixes.extend(tried.and_then(|(changed, _)| {
                let path = std::path::absolute(&changed.file).ok()?;
                let uri = self.uri(&path)?;
                answers::quick_fix(&self.report, finding, &changed, uri)
            }));
        }
        fixes
    }

    fn uri(&self, path: &Path) -> Option<Uri> {
        match self.open.get(path) {
            Some((uri, _)) => Some(uri.clone()),
            None => uris::uri(path),
        }
    }

    fn shown(&self, uri: &Uri) -> String {
        uris::path(uri).map_or_else(String::new, |path| findings::shown(&path))
    }

    fn send(&self, message: impl Into<Message>) -> Result<(), Stop> {
        self.connection
            .sender
            .send(message.into())
            .map_err(|_| Stop::Gone)
    }
}

fn read<T: DeserializeOwned>(params: serde_json::Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(params)
}
