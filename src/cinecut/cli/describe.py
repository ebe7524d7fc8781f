"""`cinecut describe`: films in, scene descriptions out."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import typer

from cinecut.cli import arguments, options, run_options
from cinecut.cli.boundary import exit_codes, interruptible
from cinecut.errors import UsageError


def describe(
    context: typer.Context,
    films: options.Films,
    recursive: options.Recursive = False,
    subtitles: options.Subtitles = None,
    no_subtitles: options.NoSubtitles = False,
    subtitle_language: options.SubtitleLanguage = None,
    model: run_options.Model = None,
    mmproj: run_options.Mmproj = None,
    models_dir: options.ModelsDir = None,
    llama_server: options.LlamaServer = None,
    server_url: run_options.ServerUrl = None,
    prompt_file: run_options.PromptFile = None,
    language: run_options.Language = "English",
    think: run_options.Think = False,
    text: run_options.Text = False,
    with_dialogue: run_options.WithDialogue = False,
    summary: run_options.Summary = False,
    moments: run_options.Moments = 1,
    output_dir: options.OutputDir = None,
    formats: run_options.Formats = None,
    parallel: run_options.Parallel = "auto",
    device: options.Device = options.DeviceChoice.AUTO,
    gpu: options.Gpu = None,
    cluster: run_options.Cluster = None,
    worker_cpus: run_options.WorkerCpus = None,
    decode: run_options.Decode = run_options.DecodeChoice.CPU,
    scan: options.ScanOption = options.Scan.FULL,
    interval: options.Interval = 30.0,
    scene_threshold: options.SceneThreshold = None,
    max_frames: options.MaxFrames = None,
    keep_duplicates: options.KeepDuplicates = False,
    timeout: run_options.Timeout = None,
    load_timeout: run_options.LoadTimeout = 120.0,
    skip_vram_check: options.SkipVramCheck = False,
    no_proof: run_options.NoProof = False,
    fresh: options.Fresh = False,
    strict: run_options.Strict = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Describe films: one validated scene description a keyframe.

    Results of movie.mkv go to movie.mkv.cinecut/. A run that was interrupted goes on where it
    stood when the same command is given again.
    """
    from cinecut.cli.batch import describe_films
    from cinecut.cli.terminal import Terminal
    from cinecut.inference.question.prompt import make_prompt
    from cinecut.model_store.choice import find_model_files
    from cinecut.model_store.hardware import look_at_hardware
    from cinecut.run.settings import RunSettings

    with exit_codes():
        keyframes = arguments.keyframe_settings(
            scan=scan,
            interval=interval,
            scene_threshold=scene_threshold,
            max_frames=max_frames,
            keep_duplicates=keep_duplicates,
            subtitles=subtitles,
            no_subtitles=no_subtitles,
            subtitle_language=subtitle_language,
        )
        if with_dialogue and no_subtitles:
            raise UsageError("--with-dialogue and --no-subtitles exclude each other.")
        slots = arguments.parse_parallel(parallel)
        named, roots = arguments.listed_films(
            films, recursive=recursive, output_dir=output_dir, subtitles=subtitles
        )
        instruction = arguments.read_prompt(prompt_file) if prompt_file else None
        settings = RunSettings(
            **arguments.server_of_somebody_else(context, server_url, model),
            prompt=make_prompt(
                instruction,
                language,
                thinks=think,
                reads_text=text,
                tells_dialogue=with_dialogue,
                moments=moments,
            ),
            llama_server=llama_server,
            device=device.value,
            gpu=gpu,
            slots=slots,
            skip_vram_check=skip_vram_check,
            silence_limit_s=arguments.checked_seconds("--load-timeout", load_timeout),
            timeout_s=None if timeout is None else arguments.checked_seconds("--timeout", timeout),
            proof=not no_proof,
            keyframes=replace(keyframes, moments=moments),
            decode=decode.value,
            output_dir=output_dir,
            roots=roots,
            formats=arguments.chosen_formats(formats),
            summary=summary,
            fresh=fresh,
        )
        terminal = Terminal(json=json, quiet=quiet, verbose=verbose)
        if cluster is None and not server_url:
            hardware = partial(look_at_hardware, device.value, gpu, llama_server)
            model, mmproj = find_model_files(model, mmproj, models_dir, hardware)
            settings = replace(settings, model=model, mmproj=mmproj)
        with interruptible() as is_cancelled:
            if cluster is None:
                code = describe_films(named, settings, terminal, is_cancelled, strict=strict)
            else:
                from cinecut.cli.library import describe_on_cluster

                code = describe_on_cluster(
                    *(named, settings, (model, mmproj, models_dir), terminal, is_cancelled),
                    address=cluster,
                    worker_cpus=worker_cpus,
                    strict=strict,
                )
        raise typer.Exit(code)
