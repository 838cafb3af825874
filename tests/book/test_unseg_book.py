"""The book's own Sphinx extension: cache names, addresses, buttons, and figures that need no network."""

import importlib.util
from types import SimpleNamespace

import pytest

pytest.importorskip("myst_nb", reason="the book's tools are not installed (pip install -e '.[book]')")


@pytest.fixture(scope="module")
def extension(root):
    spec = importlib.util.spec_from_file_location("unseg_book", root / "book" / "_ext" / "unseg_book.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def clone(tmp_path):
    """A folder with the files that figures depend on."""
    masks = tmp_path / "unseg_helpers" / "datasets" / "masks"
    masks.mkdir(parents=True)
    (tmp_path / "unseg_helpers" / "kmeans.py").write_text("k = 1\n")
    (masks / "cat.png").write_bytes(b"pixels")
    (tmp_path / "constraints.txt").write_text("numpy==2.0\n")
    (tmp_path / "course.yml").write_text("repository: https://github.com/someone/course.git\n")
    return tmp_path


def test_cache_name_changes_with_the_library_its_data_and_its_versions(extension, clone):
    names = [extension.source_hash(clone)]
    for path, text in [
        ("unseg_helpers/kmeans.py", "k = 2\n"),
        ("unseg_helpers/datasets/masks/cat.png", "other pixels"),
        ("constraints.txt", "numpy==2.1\n"),
        ("unseg_helpers/new.py", ""),
    ]:
        (clone / path).write_text(text)
        names.append(extension.source_hash(clone))
    (clone / "unseg_helpers" / "kmeans.py").rename(clone / "unseg_helpers" / "means.py")
    names.append(extension.source_hash(clone))
    assert len(set(names)) == 6


def test_cache_name_does_not_change_with_anything_else(extension, clone):
    before = extension.source_hash(clone)
    (clone / "unseg_helpers" / "__pycache__").mkdir()
    (clone / "unseg_helpers" / "__pycache__" / "kmeans.cpython-311.pyc").write_bytes(b"\0")
    (clone / "README.md").write_text("hello")
    (clone / "course.yml").write_text("")
    assert extension.source_hash(clone) == before


def test_old_caches_are_forgotten_and_the_present_one_is_kept(extension, tmp_path):
    import os

    folders = [tmp_path / name for name in ("a", "b", "c", "d", "e")]
    for age, folder in enumerate(folders):
        folder.mkdir()
        os.utime(folder, (1000 - age, 1000 - age))
    extension._forget_old(tmp_path, keep=folders[4])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "e"]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "https://github.com/someone/course"),
        ({"GITHUB_REPOSITORY": "fork/course"}, "https://github.com/fork/course"),
        ({"GITHUB_REPOSITORY": "fork/course", "UNSEG_REPOSITORY": "mine/course"}, "https://github.com/mine/course"),
        ({"UNSEG_REPOSITORY": "https://gitlab.com/a/b/"}, "https://gitlab.com/a/b"),
    ],
)
def test_repository_comes_from_the_environment_or_the_syllabus(extension, clone, environ, expected):
    assert extension.repository_url(clone, environ) == expected


def test_repository_may_be_unset_but_not_nonsense(extension, clone):
    (clone / "course.yml").write_text("title: no repository\n")
    assert extension.repository_url(clone, {}) == ""
    with pytest.raises(extension.ExtensionError, match="expected owner/name or https"):
        extension.repository_url(clone, {"UNSEG_REPOSITORY": "just-a-name"})


@pytest.mark.parametrize(("page", "kept"), [("notebooks/02_kmeans", True), ("book/02_kmeans", False)])
def test_launch_buttons_stay_on_exercise_pages(extension, page, kept):
    context = {"header_buttons": [{"label": "launch-buttons"}, {"label": "download-buttons"}]}
    extension.launch_where_it_works(None, page, "page.html", context, None)
    labels = [button["label"] for button in context["header_buttons"]]
    assert labels == (["launch-buttons", "download-buttons"] if kept else ["download-buttons"])


def test_scripts_of_other_computers_are_dropped(extension):
    def script(name, **attributes):
        return SimpleNamespace(filename=name, attributes=attributes)

    local = script("_static/searchtools.js")
    context = {
        "script_files": [
            local,
            script("https://cdn.example.org/require.js"),
            script("//cdn.example.org/x.js"),
            script("_static/sphinx-thebe.js"),
            script(None, body="const THEBE_JS_URL = 1"),
        ],
        "css_files": [script("_static/unseg.css")],
    }
    extension.only_local_scripts(None, "index", "page.html", context, None)
    assert context["script_files"] == [local]
    assert len(context["css_files"]) == 1


def plotly_output(extension, figure):
    """What the extension writes for a cell whose last line is this figure."""
    place = SimpleNamespace(renderer=SimpleNamespace(document={"source": "chapter.md"}))
    data = SimpleNamespace(mime_type=extension.PLOTLY_MIME, content=figure, line=3)
    return extension.PlotlyFigure.handle_mime(place, data, False)


def test_a_plotly_figure_is_drawn_by_the_copy_in_static(extension):
    pytest.importorskip("plotly")
    figure = {
        "data": [{"type": "scatter", "y": [1, 2, 3]}],
        "layout": {"meta": {"alt": "A line that rises."}},
        "frames": [{"name": "one", "data": [{"y": [3, 2, 1]}]}],
    }
    (node,) = plotly_output(extension, figure)
    html = node.astext()
    assert "_static/plotly.min.js" in html and "A line that rises." in html and '"frames"' in html
    assert "http://" not in html.replace("http://www.w3.org", "") and "https://" not in html
    assert "require(" not in html


def test_a_plotly_figure_without_a_description_is_a_warning(extension, monkeypatch):
    pytest.importorskip("plotly")
    said = []
    monkeypatch.setattr(extension.logger, "warning", lambda text, *args, **options: said.append((text, options)))
    assert plotly_output(extension, {"data": [], "layout": {}}) == []
    assert "fig.layout.meta = {'alt': 'one sentence'}" in said[0][0]
    assert said[0][1]["location"] == ("chapter.md", 3)


def test_other_outputs_are_left_to_myst_nb(extension):
    data = SimpleNamespace(mime_type="image/png", content=b"", line=1)
    assert extension.PlotlyFigure.handle_mime(None, data, False) is None


def test_reference_numbers_of_docstrings_become_plain_text(extension):
    lines = ["Seeding follows [1]_ and [2]_.", "", ".. [1] D. Arthur, 2007.", "   Continued.", "  .. [2] Lloyd, 1982."]
    extension.own_reference_numbers(None, "function", "f", None, None, lines)
    assert lines == ["Seeding follows [1] and [2].", "", "[1] D. Arthur, 2007.", "   Continued.", "  [2] Lloyd, 1982."]
