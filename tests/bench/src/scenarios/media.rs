//! Media: upload pictures, ask for a thumbnail of each, download each. A server may make thumbnails at
//! upload or at the first request, so the sum over all three steps is the figure to compare.

use anyhow::{Result, ensure};

use super::Bench;
use crate::image_file::png;
use crate::report::Figures;
use crate::watch::Spent;
use crate::world::in_parallel;

/// Pictures in the standard run.
const PICTURES: usize = 24;

/// Each step is done for all pictures before the next step begins.
pub async fn run(bench: &mut Bench<'_>) -> Result<()> {
    let user = bench.world.own_user().await?;
    let pictures = (0..bench.options.sized(PICTURES) as u32).map(png).collect::<Result<Vec<_>>>()?;

    let watch = bench.watch().await?;
    let media = in_parallel(&pictures, |picture| user.upload(picture.clone())).await?;
    let upload = watch.stop().await?;

    let watch = bench.watch().await?;
    let thumbnails = in_parallel(&media, |id| user.thumbnail(id)).await?;
    let thumbnail = watch.stop().await?;
    ensure!(thumbnails.iter().all(|file| !file.is_empty()), "a thumbnail is empty");

    let watch = bench.watch().await?;
    let files = in_parallel(&media, |id| user.download(id)).await?;
    let download = watch.stop().await?;
    ensure!(files == pictures, "a download differs from its upload");

    let count = pictures.len() as f64;
    let mut figures = Figures::default();
    figures.add("pictures", count);
    figures.add("picture_kib", pictures.concat().len() as f64 / 1024.0 / count);
    let steps = [("upload", &upload), ("thumbnail", &thumbnail), ("download", &download)];
    for (name, spent) in steps {
        figures.add(&format!("{name}s_per_second"), count / spent.wall);
        figures.add_some(&format!("cpu_ms_per_{name}"), spent.cpu().map(|cpu| 1000.0 * cpu / count));
    }
    let cpu: Option<f64> = steps.iter().map(|(_, spent)| Spent::cpu(spent)).sum();
    figures.add_some("cpu_ms_per_picture", cpu.map(|cpu| 1000.0 * cpu / count));
    bench.report.add("media", figures);
    Ok(())
}
