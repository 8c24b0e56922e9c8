import java.io.File;
import java.util.TreeSet;
import org.verapdf.gf.foundry.VeraGreenfieldFoundryProvider;
import org.verapdf.pdfa.Foundries;
import org.verapdf.pdfa.flavours.PDFAFlavour;
import org.verapdf.pdfa.results.TestAssertion;

/** Writes one line a file: its path, a tab, the PDF/A-1b tests it fails as clause-number (veraPDF). */
public final class PdfA {
    public static void main(String[] paths) throws Exception {
        VeraGreenfieldFoundryProvider.initialise();
        var foundry = Foundries.defaultInstance();
        for (String path : paths) {
            var failed = new TreeSet<String>();
            try (var parser = foundry.createParser(new File(path), PDFAFlavour.PDFA_1_B);
                    var validator = foundry.createValidator(PDFAFlavour.PDFA_1_B, false)) {
                for (var test : validator.validate(parser).getTestAssertions()) {
                    if (test.getStatus() == TestAssertion.Status.FAILED) {
                        failed.add(test.getRuleId().getClause() + "-" + test.getRuleId().getTestNumber());
                    }
                }
            }
            System.out.println(path + "\t" + String.join(" ", failed));
        }
    }
}
