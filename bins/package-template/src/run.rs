//! The job: read and check, then compare with the bucket and write what is missing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use action::export::Exports;
use action::failure::Failure;
use action::program::{Context, Output};
use contract::check::LocalPaths;
use contract::evaluate::World;
use contract::repair::mended;
use contract::report::Tool;

use crate::archive::{Archive, Packaged, Pipeline, Read};
use crate::live;
use crate::plan::{self, Ending};
use crate::references::Shelf;
use crate::settings::{self, Asked, Settings, Target};
use crate::upload::uploader::Uploader;

/// Runs the program.
pub(crate) async fn act(asked: Asked, context: Context, tool: Tool) -> Result<Output, Failure> {
    let settings = match asked {
        Asked::Explain(rule) => return Ok(Output::Data(rule.explained())),
        Asked::Do(settings) => *settings,
    };
    let contents = &settings.contents;
    let pipeline = pipeline(&settings, &context).await?;
    let local_paths = match (&settings.assets, &settings.target) {
        (None, Target::Check) => LocalPaths::Packable,
        // A local archive goes nowhere, so nothing could go before it.
        (None, _) | (_, Target::File(_)) => LocalPaths::Kept,
        (Some(_), _) => LocalPaths::Packaged,
    };
    let written = Some(settings.written.clone());
    let policy = findings::policy(settings.check_config.as_deref())?;
    let look = |texts: &BTreeMap<String, String>| {
        let mut read = Read::of(
            contents,
            pipeline.clone(),
            written.clone(),
            local_paths,
            texts,
        )?;
        let shelf = match (&settings.assets, local_paths) {
            (_, LocalPaths::Kept) => None,
            (Some(place), _) => Some(settings.shelf(place, &context)),
            // Whether the files are there is found without knowing where they go.
            (None, _) => Some(Shelf::default()),
        };
        let shelf = shelf.filter(|_| read.needs_assets());
        // What cannot be packaged is found before anybody asks S3.
        let mut packaged = read.package(shelf.as_ref());
        read.report.merge(std::mem::take(&mut packaged.report));
        findings::ignore(&mut read.report, &policy);
        Ok::<_, Failure>((read, packaged, shelf))
    };
    let (mut read, packaged, shelf) = look(&BTreeMap::new())?;
    if settings.fix {
        let mended = mended(&|texts| look(texts).map(|(read, ..)| read.report))?;
        findings::mend(&mended, &context)?;
        if !context.dry_run {
            read.report = mended.report;
        }
    }
    if settings.target == Target::Check {
        let file = settings.report_file.as_deref();
        return findings::output(&read.report, settings.format, file, tool);
    }
    let named = contents.pipeline.as_ref().map(ToString::to_string);
    read.accept(named.as_deref())?;
    match &settings.target {
        Target::Bucket(target) => upload(target, &read, packaged, shelf, &context).await,
        Target::File(path) => write_file(&packaged.pack(&read.template)?, path, &context),
        Target::Digest | Target::Check => {
            if shelf.is_some() && settings.region(&context).is_none() {
                return Err(Failure::refused(
                    "the digest of a template that names local files depends on the bucket's region",
                )
                .hint("set AWS_REGION or PACKAGE_TEMPLATE_REGION"));
            }
            let archive = packaged.pack(&read.template)?;
            Ok(Output::Data(format!("{}\n", archive.digest)))
        }
    }
}

async fn upload(
    target: &settings::Bucket,
    read: &Read,
    mut packaged: Packaged,
    shelf: Option<Shelf>,
    context: &Context,
) -> Result<Output, Failure> {
    let mut uploader = Uploader::open(target, context).await?;
    let seen = uploader.look().await?;
    let bucket = match shelf {
        None => target.name.clone(),
        Some(mut shelf) => {
            let region = uploader.open_shelf(&shelf.bucket).await?;
            if shelf.region != region {
                shelf.region = region;
                packaged = read.package(Some(&shelf));
            }
            shelf.bucket
        }
    };
    let archive = packaged.pack(&read.template)?;
    let decision = uploader.decide(seen, &archive).await?;
    if context.dry_run {
        let mut there = Vec::new();
        for asset in &archive.assets {
            there.push(uploader.has_asset(&bucket, asset).await?);
        }
        let current = uploader.current(&decision).await?;
        let ending = Ending::Bucket {
            target,
            decision: &decision,
            current: &current,
            assets: (&bucket, there),
        };
        plan::show(&archive, &ending, context)?;
        return Ok(Output::Nothing);
    }
    // First what the archive names, then what names it; of an archive that is there already, what was
    // deleted meanwhile.
    uploader.store_assets(&bucket, &archive.assets).await?;
    let done = uploader.carry_out(decision, &archive).await?;
    let version = [("TEMPLATE_VERSION_ID", done.version.as_str())];
    exports(&archive, done.changed, &version)
}

/// The pipeline to check against, read or fetched.
async fn pipeline(settings: &Settings, context: &Context) -> Result<Option<Pipeline>, Failure> {
    let contents = &settings.contents;
    let file = match &contents.pipeline {
        None => return Ok(None),
        Some(settings::Pipeline::Live(name)) => {
            let region = settings.pipeline_region.as_ref().or(settings.region.as_ref());
            live::fetch(name, region.map(String::as_str), context).await?
        }
        Some(settings::Pipeline::File(path)) => contract::check::File {
            shown: path.display().to_string(),
            bytes: fs::read(path).map_err(|error| {
                Failure::refused(format!("cannot read the pipeline {}", path.display()))
                    .cause(error)
                    .hint("name a template, the JSON of `aws codepipeline get-pipeline`, or live:NAME")
            })?,
        },
    };
    let region = settings.pipeline_region.clone();
    let region = region.or_else(|| settings.region(context));
    let mut world = match &region {
        Some(region) => World::in_region(region, "${AWS::AccountId}", "${AWS::StackName}"),
        None => World::default(),
    };
    world.parameters = findings::parameters(&contents.parameter_files, &[])?;
    world.lenient = true;
    Ok(Some(Pipeline { file, world }))
}

impl Settings {
    /// Where packaged files go as far as it is known without AWS: the region, which shows in URLs, is that
    /// of the environment.
    fn shelf(&self, place: &settings::Assets, context: &Context) -> Shelf {
        Shelf {
            bucket: place.bucket.clone(),
            prefix: place.prefix.clone(),
            region: self
                .region(context)
                .unwrap_or_else(|| "us-east-1".to_owned()),
        }
    }

    /// The bucket's region as far as it is known without AWS.
    fn region(&self, context: &Context) -> Option<String> {
        self.region
            .clone()
            .or_else(|| context.variable("AWS_REGION"))
            .or_else(|| context.variable("AWS_DEFAULT_REGION"))
    }
}

fn exports(archive: &Archive, changed: bool, more: &[(&str, &str)]) -> Result<Output, Failure> {
    let digest = archive.digest.to_string();
    let changed = if changed { "1" } else { "0" };
    let mut exports = Exports::new();
    let known = [
        ("TEMPLATE_DIGEST", digest.as_str()),
        ("TEMPLATE_CHANGED", changed),
    ];
    for (name, value) in more.iter().chain(&known) {
        exports
            .add(*name, *value)
            .map_err(|fault| Failure::failed("cannot export what was done").cause(fault))?;
    }
    Ok(Output::Exports(exports))
}

/// Writes the archive beside its place and renames it, so that no reader sees half of one.
fn write_file(archive: &Archive, path: &Path, context: &Context) -> Result<Output, Failure> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        let deed = format!("cannot write the archive {}", path.display());
        let cause = format!("{} is not a folder", folder.display());
        return Err(Failure::refused(deed).cause(cause));
    }
    let present = match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            let deed = format!("cannot read the present archive {}", path.display());
            return Err(Failure::refused(deed).cause(error));
        }
    };
    let changed = present.as_deref() != Some(&archive.bytes);
    if context.dry_run {
        plan::show(archive, &Ending::File { path, changed }, context)?;
        return Ok(Output::Nothing);
    }
    if changed {
        let cannot = |error: io::Error| {
            Failure::failed(format!("cannot write the archive {}", path.display())).cause(error)
        };
        // A temporary file is for its owner only; the archive is as readable as any other file.
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(folder)
            .map_err(cannot)?;
        file.write_all(&archive.bytes).map_err(cannot)?;
        file.as_file().sync_all().map_err(cannot)?;
        file.persist(path).map_err(|error| cannot(error.error))?;
        tracing::info!("wrote {} ({} bytes)", path.display(), archive.bytes.len());
    } else {
        tracing::info!("{} holds this content already", path.display());
    }
    exports(archive, changed, &[])
}
