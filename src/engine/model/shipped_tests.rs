//! The shipped models: they load, their own tests hold, their priors land in their bands, and the
//! README tells the fields as they are.

use super::*;

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$( Source { path: concat!("models/", $path), text: include_str!(concat!("../../../models/", $path)) } ),*]
    };
}

const SHIPPED: &[Source<'static>] = shipped![
    "command/rhythmic-beacon.toml",
    "device/unknown-thing.toml",
    "exfil/large-upload.toml",
    "exposure/credential-file.toml",
    "recon/address-sweep.toml",
    "sensor/mirror-wrong.toml",
    "sensor/packets-lost.toml",
    "sensor/parser-fault.toml",
];

fn schema() -> Schema {
    Schema::new(&crate::schemas())
}

fn models() -> Models {
    Models::load(SHIPPED, &schema()).unwrap_or_else(|errors| {
        panic!(
            "{}",
            errors
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join("\n")
        )
    })
}

#[test]
fn shipped_models_load_and_pass_their_own_tests() {
    let models = models();
    let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "CMD-01", "DEV-01", "EXF-01", "EXP-01", "REC-01", "SEN-01", "SEN-02", "SEN-08"
        ]
    );
    let told: Vec<String> = models.iter().flat_map(Model::check_tests).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// Rate of all channels together for a firing whose own is `own` (design §5).
fn combined(models: &Models, own: f64) -> f64 {
    let channel = |model: &Model| match &model.calibration {
        Calibration::Rate { prior, .. } if *prior <= own => *prior,
        Calibration::Family { .. } => own,
        _ => 0.0,
    };
    models.iter().map(channel).sum()
}

#[test]
fn every_prior_lands_in_the_bands_of_its_own_tests() {
    let models = models();
    for model in models.iter() {
        let Calibration::Rate { prior, .. } = model.calibration else {
            continue;
        };
        for trial in model
            .tests
            .iter()
            .filter(|trial| trial.expect == Expect::Breach)
        {
            let (row, (low, high)) = (trial.row.as_ref().unwrap(), trial.band.unwrap());
            let defeats = model.defeats.iter().filter(|defeat| defeat.when.eval(row));
            let times: f64 = defeats.map(|defeat| defeat.rate_times).product();
            let rate = combined(&models, prior) * times;
            let rarity = (50.0 + 23.06 * libm::log10(100.0 / rate)).clamp(0.0, 100.0);
            let score = rarity.min(f64::from(model.cap()));
            let band = f64::from(low)..=f64::from(high);
            assert!(
                band.contains(&score),
                "{}:{}: {score:.1} of {rate:.1}",
                model.path,
                trial.line
            );
        }
    }
}

#[test]
fn sentences_read_well() {
    let models = models();
    let sentence = |id: &str, which: fn(&Model) -> &Template| {
        let model = models.find(id).unwrap();
        which(model).render(model.tests[0].row.as_ref().unwrap())
    };
    assert_eq!(
        sentence("EXP-01", |model| &model.engineer),
        "SMB::FILE_OPEN finance\\passwords.xls (27.1 KB) on \\\\fs\\buero of 10.77.0.10 by 10.77.0.25 \
         (user mertens) over SMB; the content was not inspected."
    );
    assert!(sentence("CMD-01", |model| &model.owner).starts_with(
        "pc-albers calls static.kiesel-cdn.example every 90 s, as regularly as a machine"
    ));
    assert!(sentence("EXF-01", |model| &model.owner).starts_with(
        "pc-albers has sent 26 MB to the outside, most of it to ablage.fernweh.example; usual is 900 KB."
    ));
    for model in models.iter() {
        for text in [&model.owner, &model.engineer, &model.rarity_text] {
            let source = text.source();
            let ended = source.ends_with('.') && !source.contains("  ") && !source.contains('\n');
            assert!(ended, "{}: {source}", model.id);
        }
    }
}

#[test]
fn the_example_of_the_readme_is_a_model() {
    let readme = include_str!("../../../models/README.md");
    let (_, rest) = readme.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let source = Source {
        path: "README.md",
        text,
    };
    let models = Models::load(&[source], &schema()).unwrap();
    assert_eq!(models.iter().next().unwrap().check_tests(), [""; 0]);
}

#[test]
fn the_readme_lists_the_fields_as_they_are() {
    let readme = include_str!("../../../models/README.md");
    let (_, rest) = readme.split_once("<!-- fields: generated -->\n").unwrap();
    let (written, _) = rest.split_once("<!-- end of fields -->").unwrap();
    let generated = reference(&schema());
    assert!(
        written.trim() == generated.trim(),
        "models/README.md should say:\n\n{generated}"
    );
}
