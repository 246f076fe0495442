"""The command line, `tellsign-train …`."""

import typer

from tellsign_training import (
    commands_choose,
    commands_crossed,
    commands_data,
    commands_fakes,
    commands_fit,
    commands_measure,
    commands_robustness,
)

app = typer.Typer(
    name="tellsign-train",
    help="Trains, calibrates, measures and exports Tellsign's detectors.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    add_completion=False,
)

app.command("check")(commands_data.check)
app.command("curate")(commands_data.curate)
app.command("pack")(commands_fit.pack_command)
app.command("align")(commands_fit.align_command)
app.command("partly")(commands_fakes.partly_command)
app.command("teach")(commands_fit.teach_command)
app.command("probe")(commands_fit.probe_command)
app.command("fit")(commands_fit.fit_command)
app.command("export")(commands_fit.export_command)
app.command("choose")(commands_choose.choose_command)
app.command("calibrate")(commands_measure.calibrate_command)
app.command("precision")(commands_choose.precision_command)
app.command("evaluate")(commands_measure.evaluate_command)
app.command("crossed")(commands_crossed.crossed_command)
app.command("robustness")(commands_robustness.robustness_command)
app.command("pixels")(commands_fakes.pixels_command)

if __name__ == "__main__":
    app()
