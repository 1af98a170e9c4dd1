//! `envc cloud serve`: the local cloud on a bound port.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::{
    host::{error::CommandError, exit_code::ExitCode, interrupt::Interrupt},
    remote::local_cloud::{LocalCloud, LocalCloudSetup},
    shell::{
        app::{self, App},
        args::ServeArgs,
        events::Event,
    },
    workspace::{dirs::StateDir, project::SpecFile},
};

pub(super) fn serve(app: &App, args: &ServeArgs) -> Result<ExitCode, CommandError> {
    if !args.listen.ip().is_loopback() && !args.allow_remote {
        return Err(CommandError::usage(format!(
            "other machines could reach {}",
            args.listen.ip()
        ))
        .hint("listen on 127.0.0.1, or pass --allow-remote if that is what you want"));
    }
    let cloud = open(app, args)?;
    app::block_on(run(app, args.listen, cloud))?
}

fn open(app: &App, args: &ServeArgs) -> Result<LocalCloud, CommandError> {
    let faults = args.faults.as_deref().or(app.env.cloud_faults.as_deref()).unwrap_or_default();
    let dir = match &args.cloud_dir {
        Some(dir) => app.cwd.join(dir),
        None => StateDir::open(&app.env, &app.cwd)?.cloud(),
    };
    let mut zones = args.zone.clone();
    zones.extend(zone_of_spec(app));
    let unreadable = || {
        CommandError::usage("the faults cannot be read")
            .hint("write key=value with commas between, such as latency=50,error-on=3")
    };
    let unusable =
        || CommandError::failed(format!("the local cloud in {} cannot be opened", dir.display()));
    let (test_hooks, names) = (args.test_hooks, args.allow_host.clone());
    LocalCloud::open(LocalCloudSetup { dir: dir.clone(), zones, faults, test_hooks, names })
        .map_err(|error| error.into_command_error(unreadable, unusable))
}

/// The zone of the spec that the user stands in. Without a spec, or with a wrong one, the cloud is
/// served all the same.
fn zone_of_spec(app: &App) -> Option<String> {
    let file = SpecFile::find(&app.cwd, app.common.chdir.as_deref(), &app.env).ok()?;
    let (spec, _) = envc_spec::load(&file.text);
    spec?.zone().map(str::to_owned)
}

async fn run(app: &App, listen: SocketAddr, cloud: LocalCloud) -> Result<ExitCode, CommandError> {
    let interrupt = Interrupt::listen();
    let cannot = || CommandError::failed(format!("cannot listen on {listen}"));
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        let hint = (error.kind() == std::io::ErrorKind::AddrInUse)
            .then_some("another program listens there; take any free port: --listen 127.0.0.1:0");
        cannot().because(&error).hint_opt(hint)
    })?;
    let address = listener.local_addr().map_err(|error| cannot().because(&error))?;
    let base_url = format!("http://{address}/client/v4");
    app.ui.result(&format!(
        "CLOUDFLARE_API_BASE_URL={base_url}\nCLOUDFLARE_BASE_URL={base_url}\nCLOUDFLARE_ACCOUNT_ID={}\nCLOUDFLARE_API_TOKEN={}",
        cloud.account_id(),
        cloud.token(),
    ));
    let (account_id, token) = (cloud.account_id(), cloud.token());
    app.ui.event(&Event::Listening { base_url: &base_url, account_id, token });
    app.ui.say("The local cloud is listening; Ctrl-C stops it.");
    let stop = interrupt.clone();
    cloud
        .serve(listener, async move { stop.asked().await })
        .await
        .map_err(|error| CommandError::failed("the local cloud stopped").because(&error))?;
    app.ui.say("The local cloud has stopped.");
    app.ui.event(&Event::Stopped {});
    Ok(ExitCode::Done)
}
