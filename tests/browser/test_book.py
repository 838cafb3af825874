"""Every page of the built book as a reader sees it: complete, with no network, on a wide and on a narrow screen."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.book, pytest.mark.xdist_group("browser")]

EXERCISES = "notebooks/"
LAUNCH = "a[href*='colab.research.google.com'], a[href*='mybinder.org']"

# All images are asked for at once: a lazy one below the fold has not been loaded when the page is judged.
IMAGES = """async () => {
  const images = [...document.images];
  images.forEach(image => { image.loading = 'eager'; });
  await Promise.all(images.map(image => image.decode().catch(() => {})));
  return images.map(image => ({
    src: image.getAttribute('src'), alt: image.getAttribute('alt'), whole: image.complete && image.naturalWidth > 0
  }));
}"""

# Formulas as Sphinx wrote them, as MathJax set them, and what MathJax could not read.
FORMULAS = """() => ({
  written: document.querySelectorAll('.math').length,
  set: [...document.querySelectorAll('.math')].filter(m => m.querySelector('mjx-container mjx-math')).length,
  wrong: [...document.querySelectorAll('mjx-merror, [data-mjx-error]')].map(m => m.title || m.textContent),
  raw: [...document.querySelectorAll('.math')].filter(m => /\\\\\\\\[([]/.test(m.innerText || '')).length
})"""

# Elements that stick out to the right, other than those inside something that scrolls by itself.
STICKS_OUT = """() => {
  const width = document.documentElement.clientWidth, found = [];
  for (const element of document.querySelectorAll('article *')) {
    const box = element.getBoundingClientRect();
    if (box.width === 0 || box.right <= width + 1) continue;
    let parent = element.parentElement, scrolls = false;
    for (; parent && parent !== document.documentElement; parent = parent.parentElement) {
      const style = getComputedStyle(parent);
      if (style.overflowX !== 'visible' && parent.getBoundingClientRect().right <= width + 1) { scrolls = true; break; }
    }
    if (!scrolls) found.push(element.tagName + '.' + element.className + ': ' + Math.round(box.right));
  }
  return found.slice(0, 5);
}"""

# Contrast of text against what is behind it, by the formula of WCAG 2.
LOW_CONTRAST = """() => {
  const channel = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parse = text => (text.match(/[\\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c.length < 4 || c[3] > 0.95) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll('article p, article li, article a, article code, article td, article h1, ' +
      'article h2, article pre span, article figcaption span')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length || e.closest('.unseg-plot, mjx-container, .headerlink')) continue;
    if (e.matches('.headerlink')) continue;
    const a = light(parse(getComputedStyle(e).color)), b = light(behind(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) found.push(e.tagName + ' "' + e.textContent.trim().slice(0, 30) + '": ' + ratio.toFixed(1));
  }
  return found.slice(0, 5);
}"""

# What a plotly figure shows, without the slider below it.
SHOWN = """box => [...box.querySelectorAll('.cartesianlayer, .imagelayer')].map(layer => layer.innerHTML).join('')"""


def test_page_is_whole_and_asks_nobody_else(desktop):
    desktop.page.wait_for_load_state("networkidle")  # a late request is one as well
    images = desktop.page.evaluate(IMAGES)
    formulas = desktop.page.evaluate(FORMULAS)
    assert desktop.outside == [], "requests that leave this machine"
    assert desktop.failed == []
    assert desktop.errors == []
    assert [image["src"] for image in images if not image["whole"]] == []
    assert [image["src"] for image in images if not (image["alt"] or "").strip()] == [], "images without alt text"
    assert formulas["wrong"] == []
    assert (formulas["set"], formulas["raw"]) == (formulas["written"], 0)
    assert desktop.page.title().strip()
    raw = desktop.page.evaluate("[...document.querySelectorAll('article p')].map(p => p.innerText)")
    assert [text for text in raw if text.lstrip().startswith(("|", "```", ":::"))] == [], "markdown that stayed text"


def test_text_stands_out_from_a_light_background(desktop):
    assert desktop.page.evaluate("() => document.documentElement.dataset.theme") == "light"
    assert desktop.page.evaluate(LOW_CONTRAST) == []


def test_launch_buttons_are_on_exercises_only(desktop, path):
    links = desktop.page.eval_on_selector_all(LAUNCH, "links => links.map(link => link.href)")
    if not path.startswith(EXERCISES):
        assert links == []
        return
    notebook = path.removesuffix(".html") + ".ipynb"
    assert sum("colab.research.google.com/github/" in link for link in links) == 1
    assert sum("mybinder.org/v2/gh/" in link for link in links) == 1
    assert all(link.endswith(notebook) for link in links), links


def test_every_interactive_figure_is_drawn_and_its_slider_changes_it(desktop):
    boxes = desktop.page.locator(".unseg-plot [role=group]")
    for i in range(boxes.count()):
        box = boxes.nth(i)
        box.scroll_into_view_if_needed()
        assert box.locator(".main-svg").count() >= 1
        assert (box.get_attribute("aria-label") or "").strip(), "an interactive figure without a description"
        before = box.evaluate(SHOWN)
        assert before
        rail = box.locator(".slider-rail-touch-rect").first
        if rail.count() == 0:
            continue
        size = rail.bounding_box()
        rail.click(position={"x": 0.97 * size["width"], "y": size["height"] / 2})
        desktop.page.wait_for_function(
            f"old => ({SHOWN})(old.box) !== old.shown", arg={"box": box.element_handle(), "shown": before}
        )
    assert desktop.errors == [] and desktop.outside == []


def test_page_fits_a_phone(phone):
    width = phone.page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= 390, phone.page.evaluate(STICKS_OUT)
    assert phone.page.evaluate(STICKS_OUT) == []


def test_text_stands_out_from_a_dark_background(phone):
    assert phone.page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert phone.page.evaluate(LOW_CONTRAST) == []


def test_every_lecture_has_an_interactive_figure(visit, book_pages):
    exercises = {path.removeprefix(EXERCISES) for path in book_pages if path.startswith(EXERCISES)}
    lectures = [path for path in book_pages if path.removeprefix("book/") in exercises]  # 10_results is a report
    assert len(lectures) == len(exercises) > 0
    for path in lectures:
        assert visit().open(path).page.locator(".unseg-plot .js-plotly-plot").count() >= 1, path


@pytest.mark.parametrize(
    ("word", "page"), [("sandbox", "book/guides/instructor.html"), ("squared_distances", "book/api.html")]
)
def test_search_finds_a_word_without_a_network(visit, word, page):
    seen = visit().open(f"search.html?q={word}")
    first = seen.page.locator("#search-results li a")
    first.first.wait_for()
    found = first.evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert any(page in link for link in found), found
    assert seen.outside == [] and seen.errors == []


def test_search_field_opens_from_the_keyboard_and_leads_to_results(visit):
    seen = visit().open("book/index.html")
    seen.page.keyboard.press("Control+k")
    seen.page.keyboard.type("annotators")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**/search.html?q=annotators*")
    seen.page.locator("#search-results li a").first.wait_for()
    assert seen.outside == [] and seen.errors == []


def test_address_of_the_server_leads_to_the_front_page(visit):
    seen = visit()
    seen.page.goto(seen.address)
    seen.page.wait_for_url("**/book/index.html")
    assert seen.page.locator("h1").first.inner_text().startswith("Segmentation Without Labels")


def test_a_table_of_contents_opens_on_a_phone(visit):
    seen = visit(width=390, height=844).open("book/index.html")
    link = seen.page.locator(".bd-sidebar-primary a", has_text="Student guide")
    assert not link.is_visible()
    seen.page.locator("button.primary-toggle:visible").first.click()
    link.wait_for(state="visible")
    link.click()
    seen.page.wait_for_url("**/guides/student.html")
