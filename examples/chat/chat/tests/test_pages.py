"""3. Pages in a browser, with ``ChannelLiveServerTestCase``: server and workers are processes of their own.

They use the test's database and settings. Both have to be fit for that: ``project/settings.py`` gives the database a
file for tests (``TEST``) and the layer a ``TEST_CONFIG``.
"""

# ruff: noqa: PT009 (unittest, as its users write it)

import shutil
import unittest

from django.contrib.auth.models import User
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from channels.test import ChannelLiveServerTestCase
from chat.models import Message, Room

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
SECONDS = 20


@unittest.skipUnless(CHROMIUM and DRIVER, "chromium and chromedriver are not installed")
class PageTests(ChannelLiveServerTestCase):
    """Two users in two browsers."""

    def setUp(self):
        """Such a test commits what it does, and Django empties all tables after it: rooms of migrations are gone."""
        Room.objects.get_or_create(slug="lobby", defaults={"title": "Lobby"})

    def open_browser(self):
        """Return a browser, which is closed at the end of the test."""
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
            options.add_argument(flag)
        browser = webdriver.Chrome(options=options, service=Service(DRIVER))
        self.addCleanup(browser.quit)
        return browser

    def log_in(self, name):
        """Return a browser in the lobby, where ``name`` has logged in."""
        User.objects.create_user(name, password="correct-horse-battery")
        browser = self.open_browser()
        # ``live_server_url`` is where the server of this test listens.
        browser.get(f"{self.live_server_url}/login/")
        browser.find_element(By.NAME, "username").send_keys(name)
        browser.find_element(By.NAME, "password").send_keys("correct-horse-battery", Keys.ENTER)
        # Consumers run in another process, so a test waits for what it wants to see.
        self.wait_for(browser, lambda: "/rooms/lobby/" in browser.current_url)
        self.wait_for(browser, lambda: browser.find_elements(By.CSS_SELECTOR, "#status[data-state=open]"))
        return browser

    def wait_for(self, browser, condition):
        """Wait until ``condition`` holds."""
        WebDriverWait(browser, SECONDS).until(lambda _: condition())

    def messages(self, browser):
        """Return the texts of the messages on a page, as far as the server has confirmed them."""
        script = "return [...document.querySelectorAll('#log .message[data-id] .text')].map(each => each.textContent)"
        return browser.execute_script(script)

    def test_two_users_talk(self):
        """What one types, the other sees."""
        anna, ben = self.log_in("anna"), self.log_in("ben")
        anna.find_element(By.ID, "text").send_keys("Hello Ben!", Keys.ENTER)
        self.wait_for(ben, lambda: self.messages(ben) == ["Hello Ben!"])
        ben.find_element(By.ID, "text").send_keys("Hello Anna!", Keys.ENTER)
        self.wait_for(anna, lambda: self.messages(anna) == ["Hello Ben!", "Hello Anna!"])
        # The test sees what the worker stored.
        self.assertEqual(Message.objects.count(), 2)

    def test_history_is_there_after_a_reload(self):
        """It comes from the database."""
        anna = self.log_in("anna")
        anna.find_element(By.ID, "text").send_keys("Remember this", Keys.ENTER)
        self.wait_for(anna, lambda: self.messages(anna) == ["Remember this"])
        anna.refresh()
        self.wait_for(anna, lambda: self.messages(anna) == ["Remember this"])
