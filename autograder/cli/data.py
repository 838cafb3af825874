"""``unseg data``: which image sets and backbones are on this machine, and getting those that are not."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import click

DESCRIBED_WIDTH = 100
"""Columns of running text."""


@click.group()
def data() -> None:
    """List and fetch image data sets and backbones."""


# unseg data list -----------------------------------------------------------------------------------------------------


@data.command("list")
@click.option("--check", is_flag=True, help="Compare the files of fetched packs with their checksums.")
def list_sets(check: bool) -> None:
    """Show which data sets and backbones are on this machine, where, and how to get the others."""
    from unseg_helpers.datasets import packs, registry

    always, here, broken, absent = _always_here(), [], [], []
    for dataset in registry.SETS.values():
        try:
            counts, folders = packs.inventory(dataset.name)
        except packs.BrokenPack as error:
            broken.append(f"{dataset.name}: {error}")
            continue
        if counts:
            here.append((dataset.name, _counts(counts, dataset.counts), ", ".join(map(str, folders))))
        else:
            absent.append(
                (
                    dataset.name,
                    dataset.what,
                    _size(dataset.download_mb),
                    "non-commercial use" if dataset.non_commercial else "any use",
                )
            )
    _section("Part of this package", always)
    _section("On this machine", here)
    if broken:
        click.echo("Here but damaged")
        for line in broken:
            click.echo(f"  {line}")
        click.echo()
    _section("Not here: `unseg data fetch NAME` gets it", absent)
    _backbones()
    folders = packs.data_folders()
    click.echo("Looked in " + ", then in ".join(str(folder) for folder in folders))
    if len(folders) == 1:
        click.echo("Set UNSEG_DATA to a folder to use packs that lie there.")
    elif not folders[0].is_dir():
        click.echo(f"UNSEG_DATA names {folders[0]}, which is not a folder.")
    if check:
        _check_all(folders)


def _always_here() -> list[tuple[str, str, str]]:
    from unseg_helpers.datasets import PHOTO_NAMES

    return [
        ("scenes", "any number", "drawn from a seed, with exact ground truth: datasets.scenes(8, seed=0)"),
        (
            "photos",
            f"{len(PHOTO_NAMES)} photos",
            "of scikit-image and scikit-learn, with masks: datasets.photos()",
        ),
    ]


def _backbones() -> None:
    """Networks that learned without labels: what is here, and what can be fetched."""
    from unseg_helpers import backbones

    here = [("minidino", "mini-DINO, ViT of width 192, patches of 8", "part of this package")]
    absent = []
    for name, published in backbones.PUBLISHED.items():
        path = backbones.in_hub_folder(name)
        if path is not None:
            here.append((name, published.what, str(path)))
        else:
            terms = "terms of its own" if published.ask else "any use"
            absent.append((name, published.what, _size(published.download_mb), terms))
    _section("Backbones on this machine", here)
    _section("Backbones not here: fetched in the same way, or when first used", absent)
    if not backbones.has_torch():
        click.echo('All but minidino need torch and timm: pip install "unseg[deep]"')
        click.echo()


def _check_all(folders: Sequence[Path]) -> None:
    from unseg_helpers.datasets import fetch, registry

    damaged = False
    for folder in (folder / name for folder in folders for name in registry.SETS):
        if not (folder / fetch.SUMS).is_file():
            continue
        wrong = fetch.check(folder)
        damaged = damaged or bool(wrong)
        click.echo(f"{folder}: " + (f"damaged: {', '.join(wrong)}" if wrong else "all checksums agree"))
        if wrong:
            click.echo(f"  fetch it again: unseg data fetch {folder.name} --force")
    if damaged:
        raise SystemExit(1)


def _counts(counts: dict[str, int], full: dict[str, int]) -> str:
    """``train 200, val 100, test 100 of 200``, with what is missing of the full release."""
    parts = []
    for part, count in full.items():
        have = counts.get(part, 0)
        parts.append(f"{part} {have:,}" + ("" if have == count else f" of {count:,}"))
    return ", ".join(parts)


def _size(megabytes: int) -> str:
    return f"{megabytes:,} MB" if megabytes < 1000 else f"{megabytes / 1000:.1f} GB"


def _section(title: str, rows: Sequence[Sequence[str]]) -> None:
    """A heading and an aligned table; nothing where there are no rows."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    click.echo(title)
    for row in rows:
        click.echo("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    click.echo()


# unseg data fetch ----------------------------------------------------------------------------------------------------


@data.command("fetch")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@click.option("--to", type=click.Path(file_okay=False), help="Folder for packs; then set UNSEG_DATA to it.")
@click.option(
    "--from",
    "archives_from",
    type=click.Path(exists=True, file_okay=False),
    help="Folder that holds the official archives already, for machines without a network.",
)
@click.option("--accept-license", is_flag=True, help="Accept non-commercial terms without asking.")
@click.option("--force", is_flag=True, help="Fetch anew even if the set is here.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bars.")
def fetch_sets(
    names: tuple[str, ...], to: str | None, archives_from: str | None, accept_license: bool, force: bool, quiet: bool
) -> None:
    """Download data sets and convert them; an interrupted download goes on where it stopped.

    Names of backbones fetch their weights into the folder of the Hugging Face hub, which HF_HOME sets.
    """
    from unseg_helpers import backbones
    from unseg_helpers.datasets import packs, registry
    from unseg_helpers.datasets.fetch import FetchError, fetch

    for name in names:  # all names first: not a typo found after an hour of download
        if name not in registry.SETS and name not in backbones.NAMES:
            known = ", ".join((*registry.SETS, *backbones.NAMES))
            raise click.BadParameter(f"no data set is called {name!r}; choose from {known}")
    for name in names:
        if name in backbones.NAMES:
            if to is not None or archives_from is not None:
                raise click.BadParameter(f"--to and --from are for data sets; for {name} set HF_HOME to the folder")
            _fetch_backbone(name, accept_license)
            continue
        try:
            folder = fetch(
                name,
                to=to,
                archives_from=archives_from,
                accept_license=accept_license,
                confirm=_confirm,
                force=force,
                progress=not quiet,
                say=lambda line: click.echo(line, err=True),
            )
        except FetchError as error:
            raise click.ClickException(str(error)) from error
        except KeyboardInterrupt:
            raise click.ClickException("interrupted: run the same command again and it goes on from there") from None
        click.echo(folder)
        if folder.parent not in packs.data_folders():
            click.echo(f"To use it, set UNSEG_DATA={folder.parent}", err=True)


def _fetch_backbone(name: str, accept_license: bool) -> None:
    """Bring the weights of a backbone here and check them against their digest."""
    from unseg_helpers import backbones

    if name != "minidino" and backbones.in_hub_folder(name) is None:
        published = backbones.PUBLISHED[name]
        rows = [
            ("Backbone", f"{name}: {published.what}"),
            ("Download", _size(published.download_mb)),
            ("Terms", published.license),
            ("Cite", published.citation),
            ("Page", f"https://huggingface.co/{published.repository}"),
        ]
        if published.ask and not accept_license and not _agreed(_table(rows)):
            raise click.ClickException(f"{name} was not fetched: its terms were not accepted")
    try:
        path = backbones.locate(name)
        backbones.check_digest(path)
    except (backbones.BackboneUnavailable, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(path)


def _confirm(dataset) -> bool:
    return _agreed(_terms(dataset))


def _agreed(terms: str) -> bool:
    """Show the terms and ask; where nobody can answer, the answer is no."""
    click.echo(terms, err=True)
    try:
        return click.confirm("Do you accept these terms?", default=False, err=True)
    except click.Abort:  # end of input, as in a script
        click.echo(err=True)
        return False


def _terms(dataset) -> str:
    rows = [
        ("Set", f"{dataset.name}: {dataset.what}"),
        ("Download", _size(dataset.download_mb)),
        ("Terms", dataset.license),
        ("Cite", dataset.citation),
        ("Page", dataset.page),
    ]
    return _table(rows)


def _table(rows: Sequence[tuple[str, str]]) -> str:
    """A label and running text beside it, for each row."""
    return "\n".join(
        textwrap.fill(
            text, DESCRIBED_WIDTH, initial_indent=f"{label:<10}", subsequent_indent=" " * 10, break_on_hyphens=False
        )
        for label, text in rows
    )
