"""A page in a headless Chromium without a network, and its picture:
python -m tests.hfn_accel.html.browser PAGE PNG
"""

import json
import shutil
import sys
from pathlib import Path

from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select, WebDriverWait


class Browser:
    """A driver and what the tests do with a page. `saved`: the folder for what it downloads."""

    def __init__(self, saved: Path, size: tuple[int, int] = (1500, 1200)):
        binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
        if not binary or not driver:
            raise RuntimeError("Chromium is missing: apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for argument in ("--headless", "--no-sandbox", "--disable-dev-shm-usage",
                         f"--window-size={size[0]},{size[1]}"):  # fmt: skip
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options, Service(driver))
        self.saved = saved
        self.command("Network.enable")
        self.command("Network.emulateNetworkConditions", offline=True, latency=0,
                     downloadThroughput=0, uploadThroughput=0)  # fmt: skip
        self.command("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(saved))

    def command(self, name: str, **parameters):
        return self.driver.execute_cdp_cmd(name, parameters)

    def open(self, page: Path):
        """Until the page is ready; forgets what was requested and logged before."""
        self.requests(), self.errors()
        self.driver.get(page.as_uri())
        self.wait(lambda: self.run("return 'ready' in document.documentElement.dataset"))

    def wait(self, condition, seconds: float = 120):
        """What `condition()` says, once it is true."""
        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: condition())

    def run(self, script: str, *arguments):
        return self.driver.execute_script(script, *arguments)

    def settle(self):
        """Waits for what the page does before its next two frames."""
        self.driver.execute_async_script(
            "requestAnimationFrame(() => requestAnimationFrame(arguments[0]))"
        )

    def requests(self) -> list[str]:
        """Addresses requested since the last call; what is in memory is none."""
        messages = (json.loads(m["message"])["message"] for m in self.driver.get_log("performance"))
        sent = (m["params"]["request"]["url"] for m in messages
                if m["method"] == "Network.requestWillBeSent")  # fmt: skip
        return [url for url in sent if not url.startswith(("blob:", "data:"))]

    def errors(self) -> list[str]:
        """Lines of the console since the last call."""
        return [line["message"] for line in self.driver.get_log("browser")]

    def find(self, selector: str):
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def texts(self, selector: str) -> list[str]:
        """Of all elements, in or out of sight."""
        return self.run("return [...document.querySelectorAll(arguments[0])]"
                        ".map((node) => node.textContent)", selector)  # fmt: skip

    def choose(self, selector: str, value: str):
        Select(self.find(selector)).select_by_value(value)
        self.settle()

    def hover(self, x: float, y: float):
        """The pointer to a place of the chart in CSS pixels."""
        chart = self.find("#chart")
        box = chart.rect
        move = ActionChains(self.driver, duration=0)
        move.move_to_element_with_offset(chart, x - box["width"] / 2, y - box["height"] / 2)
        move.perform()

    def keys(self, selector: str, *keys: str):
        self.run("document.querySelector(arguments[0]).focus({preventScroll: true})", selector)
        self.press(*keys)

    def press(self, *keys: str):
        ActionChains(self.driver).send_keys(*keys).perform()

    def click(self):
        """Where the pointer is."""
        ActionChains(self.driver).click().perform()


def picture(page: Path, png: Path):
    """Draws the page with a design of the front chosen."""
    browser = Browser(png.parent, (1500, 1300))
    try:
        browser.open(page)
        browser.keys("#chart", *[Keys.ARROW_RIGHT] * 3, Keys.ENTER)
        browser.settle()
        browser.driver.save_screenshot(str(png))
    finally:
        browser.driver.quit()


if __name__ == "__main__":
    picture(*(Path(argument).resolve() for argument in sys.argv[1:]))
